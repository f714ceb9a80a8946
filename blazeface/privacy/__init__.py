"""Faces made unrecognisable, and backgrounds blurred."""
