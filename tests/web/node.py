"""Run the page's modules in Node, without a browser."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import blazeface

PAGE = Path(blazeface.__file__).parent / "web" / "page"


class Node:
    """A folder with the page's modules, in which snippets are run."""

    def __init__(self, folder: Path):
        self.folder = folder
        for name in ("blazeface", "js"):
            shutil.copytree(PAGE / name, folder / name, dirs_exist_ok=True)
        (folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")

    def run(self, program: str, **given: Any) -> Any:
        """What `program` returns; it is the body of an async function and sees `given` (JSON) and `fs`."""
        script = self.folder / "snippet.js"
        script.write_text(
            "import fs from 'node:fs';\n"
            f"const given = JSON.parse(fs.readFileSync('given.json', 'utf8'));\n"
            f"const result = await (async () => {{ {program} }})();\n"
            "fs.writeFileSync('result.json', JSON.stringify(result));\n",
            encoding="utf-8",
        )
        (self.folder / "given.json").write_text(json.dumps(given), encoding="utf-8")
        done = subprocess.run(["node", script], cwd=self.folder, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads((self.folder / "result.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Node:
    if shutil.which("node") is None:
        pytest.skip("Node is not installed")
    return Node(tmp_path_factory.mktemp("node"))
