"""Faces followed through a video: track numbers, the One-Euro filter, regions of interest."""
