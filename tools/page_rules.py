"""Write the numbers that Python and JavaScript share: blazeface/web/page/blazeface/rules.js.

python -m tools.page_rules
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import blazeface
from blazeface import search
from blazeface.backends import decoded, onnx_backend
from blazeface.decode import LOGIT_LIMIT
from blazeface.detector import MAX_CANDIDATES, MAX_REGRESSION
from blazeface.files.staged import write_text
from blazeface.privacy.rules import RULES
from blazeface.spec import METADATA_KEY

TARGET = Path(blazeface.__file__).parent / "web" / "page" / "blazeface" / "rules.js"

SEARCH_NAMES = (
    *("AUTO_SHARE", "SMALLEST", "GOOD", "LARGEST", "LARGEST_IN_TILES", "LONG", "SEAM", "STEP", "SHARED_SIZES"),
    *("LARGEST_ZOOM", "TILE_SIDE", "MOST_ASPECT", "SAME_POINTS", "SAME_SCORE"),
    *("FAINT", "USUAL_SUPPORT", "MOST_CANDIDATES"),
)

TABLES: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "RULES": ("blazeface/privacy/rules.py", asdict(RULES)),
    "SEARCH": ("blazeface/search.py", {name.lower(): getattr(search, name) for name in SEARCH_NAMES}),
    "LIMITS": (
        "blazeface/detector.py and decode.py",
        {"max_candidates": MAX_CANDIDATES, "max_regression": MAX_REGRESSION, "logit": LOGIT_LIMIT},
    ),
    "METADATA": (
        "blazeface/spec.py and backends/",
        {
            "spec": METADATA_KEY,
            "multiple": onnx_backend.MULTIPLE_KEY,
            "max_multiple": onnx_backend.MAX_MULTIPLE,
            "image": decoded.IMAGE_KEY,
            "nms": onnx_backend.NMS_KEY,
        },
    ),
}
"""Each table's name in JavaScript, the file that says what its numbers mean, and the numbers."""


def page_rules() -> str:
    """The text of rules.js."""
    text = "// Written by tools/page_rules.py from the Python files that say what each number means.\n"
    for name, (source, values) in TABLES.items():
        rows = "".join(f"  {key}: {json.dumps(value)},\n" for key, value in values.items())
        text += f"\n// {source}\nexport const {name} = {{\n{rows}}};\n"
    return text


if __name__ == "__main__":
    write_text(TARGET, page_rules())
    print(f"wrote {TARGET.name}")
