"""One module per format, each with `write` (see `export.format_table`), and what those modules share with nobody."""
