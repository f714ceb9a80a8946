"""Sources, drawing, sinks, and the pipeline that joins them."""

READER_NAME = "reading "
"""How the names of the threads begin that read live sources: one that hangs there is known by it (cli/main.py)."""
