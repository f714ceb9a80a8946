"""`python -m blazeface COMMAND ...`"""

from blazeface.cli.main import door

door()
