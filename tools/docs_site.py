"""Hook of mkdocs (mkdocs.yml): brings what lies outside docs/ into the site, and makes its links work there.

The README is the first page, the notebook becomes a page, and other pages of the repository (model cards, results, the change
log) have a place of their own. Links are written for the repository, where they work as they stand; here they are led to the
page of the same file. A picture or a report that a page links to is taken along; a link to any other file loses its address
and keeps its text.
"""

from __future__ import annotations

import json
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
NOTEBOOK = "docs/first_steps.ipynb"

PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "LICENSE": "LICENSE.txt",
    "data/README.md": "data.md",
    "blazeface/web/page/icons/icon-192.png": "icon.png",
    "tools/file_worker.js": "assets/iframe-worker.js",
}
"""The place in the site of files outside docs/."""

FOLDERS = {"benchmarks/results": "results", "blazeface/weights": "models"}
"""Folders whose pages all come along."""

ATTACHED = (".png", ".jpg", ".json", ".csv")

LINK = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(\))")


def places(root: Path = ROOT) -> dict[str, str]:
    """The place in the site of each page and attached file, by its path in the repository."""
    found = {path: place for path, place in PAGES.items() if (root / path).exists()}
    for folder, place in FOLDERS.items():
        found |= {f"{folder}/{path.name}": f"{place}/{path.name}" for path in sorted((root / folder).glob("*.md"))}
    docs = sorted(path for path in (root / "docs").rglob("*") if path.is_file())
    found |= {path.relative_to(root).as_posix(): path.relative_to(root / "docs").as_posix() for path in docs}
    found[NOTEBOOK] = "first_steps.md"
    for page in [path for path in found if path.endswith(".md")]:
        for _, target, _, _ in LINK.findall((root / page).read_text(encoding="utf-8")):
            path = resolved(page, target)
            if path not in found and path.endswith(ATTACHED) and (root / path).is_file():
                found[path] = f"attached/{path}"
    return found


def resolved(page: str, target: str) -> str:
    """What a link of a page means, as a path in the repository."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), target))


def relinked(text: str, page: str, known: dict[str, str]) -> str:
    """The text of a page of the repository with its links leading to places in the site."""

    def replaced(match: re.Match[str]) -> str:
        target = match[2]
        if ":" in target:
            return match[0]
        path = resolved(page, target)
        place = known.get(path) or known.get(f"{path}/README.md")
        if place is None:
            return f"{match[1]}#not-in-this-site{match[4]}"
        start = posixpath.dirname(known[page]) or "."
        return f"{match[1]}{posixpath.relpath(place, start)}{match[3] or ''}{match[4]}"

    linked = LINK.sub(replaced, text)
    return re.sub(r"!?\[([^\]]*)\]\(#not-in-this-site\)", r"\1", linked)


def spaced(text: str) -> str:
    """A blank line before each list that follows a paragraph: Python-Markdown asks for it, GitHub does not."""
    lines: list[str] = []
    fenced = False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        before = lines[-1] if lines else ""
        if re.match(r"(- |\d+\. )", line) and not fenced and before and not re.match(r"(- |\d+\. |  |#)", before):
            lines.append("")
        lines.append(line)
    return "\n".join(lines) + "\n"


def page_of_notebook(path: Path) -> str:
    """The cells of a notebook as Markdown."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells]
    pairs = zip(cells, texts, strict=True)
    parts = [text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```" for cell, text in pairs]
    return "\n\n".join([*parts, f"This page as a notebook: [{path.name}]({path.name})", ""])


def on_files(files: Files, config: Any) -> Files:
    """Called by mkdocs with what lies in docs/."""
    for path, place in places().items():
        if path == NOTEBOOK:
            files.append(File.generated(config, place, content=page_of_notebook(ROOT / path)))
        elif not path.startswith("docs/"):
            files.append(File.generated(config, place, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Called by mkdocs with the text of each page."""
    known = places()
    paths = {place: path for path, place in known.items()}
    text = (
        markdown if page.file.src_uri == "first_steps.md" else relinked(markdown, paths[page.file.src_uri], known)
    )
    return spaced(text)
