"""`python -m blazeface COMMAND ...`"""

from blazeface.cli.main import entry_point

entry_point()
