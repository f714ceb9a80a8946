"""`python -m blazeface COMMAND ...`"""

import sys

from blazeface.cli.main import main

sys.exit(main())
