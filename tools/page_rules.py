"""Write the rules of covers for the page: blazeface/privacy/rules.py -> blazeface/web/page/js/rules.js.

python -m tools.page_rules
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import blazeface
from blazeface.files.staged import write_text
from blazeface.privacy.rules import RULES

TARGET = Path(blazeface.__file__).parent / "web" / "page" / "js" / "rules.js"


def page_rules() -> str:
    """The text of rules.js."""
    rows = "".join(f"  {name}: {json.dumps(value)},\n" for name, value in asdict(RULES).items())
    return (
        "// Written by tools/page_rules.py from blazeface/privacy/rules.py, which says what each number means.\n\n"
        f"export const RULES = {{\n{rows}}};\n"
    )


if __name__ == "__main__":
    write_text(TARGET, page_rules())
    print(f"wrote {TARGET.name}")
