"""Files and their names: whole or not at all, ordinary or refused, printable. Pictures read and written."""
