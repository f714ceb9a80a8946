"""Inputs, and what reads frames from them: video files, cameras, streams and numbered pictures."""

READER_THREAD_PREFIX = "reading "
"""How the names of the threads begin that read cameras and streams; `cli.main` recognises one that hangs by it."""
