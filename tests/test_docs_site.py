"""The documentation as a site: built strictly, whole, and readable without a network."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

import blazeface

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def test_every_page_is_in_the_navigation() -> None:
    named = set(re.findall(r": ([\w./-]+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE))
    assert {path.name for path in DOCS.glob("*.md")} <= named
    assert {f"models/{path.name}" for path in (ROOT / "blazeface" / "weights").glob("*.md")} <= named


def test_the_reference_names_every_public_name() -> None:
    found = re.findall(
        r"^::: blazeface\.(\w+)$", (DOCS / "reference.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(found) == len(set(found))
    assert {*found, "__version__"} == set(blazeface.__all__)


def test_there_are_twenty_questions() -> None:
    heads = re.findall(r"^## (\d+)\. (.+)$", (DOCS / "faq.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert [int(number) for number, _ in heads] == list(range(1, 21))


def test_the_python_of_the_questions_runs(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "faq.md").read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", "\n".join(blocks)], cwd=tmp_path, capture_output=True
    )
    assert result.returncode == 0, result.stderr.decode()


def test_links_are_led_to_places_in_the_site() -> None:
    pytest.importorskip("mkdocs", reason="mkdocs is not installed (extra docs)")
    from tools.docs_site import relinked, spaced

    known = {
        "README.md": "index.md", "docs/api.md": "api.md", "docs/images/a.png": "images/a.png",
        "docs/trial/README.md": "trial/README.md", "cards/m.md": "models/m.md",
    }  # fmt: skip
    text = "[a](docs/api.md) ![b](docs/images/a.png) [c](docs/trial) [d](setup.py) [e](https://a.b/c) [f](#here)"
    assert relinked(text, "README.md", known) == (
        "[a](api.md) ![b](images/a.png) [c](trial/README.md) d [e](https://a.b/c) [f](#here)"
    )
    assert relinked("[a](../docs/api.md#detect)", "cards/m.md", known) == "[a](../api.md#detect)"
    assert spaced("text\n- a\n- b\n```\nx\n- y\n```\n") == "text\n\n- a\n- b\n```\nx\n- y\n```\n"


def test_parameters_become_a_list() -> None:
    pytest.importorskip("griffe", reason="griffe is not installed (extra docs)")
    from tools.docs_parameters import listed

    text = "Does it.\n\na: one,\n    and more.\nb, c: two. Note: three.\nRaises X.\nd: no parameter"
    assert listed(text, {"a", "b", "c"}) == (
        "Does it.\n\n- `a`: one,\n    and more.\n- `b, c`: two. Note: three.\n\nRaises X.\nd: no parameter"
    )


class Page(HTMLParser):
    """What a page loads, where it leads, and the names of its places."""

    def __init__(self, text: str):
        super().__init__()
        self.loaded: list[str] = []
        self.linked: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.places |= {values[name] for name in ("id", "name") if name in values}
        if "src" in values:
            self.loaded.append(values["src"])
        if "href" in values and tag == "link":
            self.loaded.append(values["href"])
        elif "href" in values:
            self.linked.append(values["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for module in ("mkdocs", "material", "mkdocstrings"):
        pytest.importorskip(module, reason=f"{module} is not installed (extra docs)")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


def test_nothing_is_loaded_from_elsewhere_and_every_link_leads_somewhere(site: Path) -> None:
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    assert len(pages) > 35
    for path, page in pages.items():
        for address in page.loaded:
            assert not re.match(r"(\w+:)?//", address), f"{path.name} loads {address}"
        if path.name == "404.html":
            continue  # its addresses begin at the root of a host
        for address in [*page.loaded, *page.linked]:
            if re.match(r"\w+:", address):
                continue
            target, _, place = unquote(unescape(address)).partition("#")
            where = (path.parent / target.partition("?")[0]).resolve() if target else path
            assert where.exists(), f"{path.name}: {address}"
            if place and where in pages:
                assert place in pages[where].places, f"{path.name}: {address}"
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert not re.search(r"url\(\s*[\"']?(https?:)?//|@import", styles)


def test_it_can_be_searched_as_files(site: Path) -> None:
    index = (site / "search" / "search_index.js").read_text(encoding="utf-8")
    assert index.startswith("var __index = ")
    docs = json.loads(index.removeprefix("var __index = "))["docs"]
    assert any("sunglasses" in entry["title"] for entry in docs)
    worker = (site / "assets" / "iframe-worker.js").read_text(encoding="utf-8")
    assert worker == (ROOT / "tools" / "file_worker.js").read_text(encoding="utf-8")


def test_the_search_answers_in_a_browser_that_opened_a_file(site: Path) -> None:
    from browser import FLAGS, chromium

    command = [
        chromium(),
        *FLAGS,
        "--virtual-time-budget=20000",
        "--dump-dom",
        f"{(site / 'index.html').as_uri()}?q=sunglasses",
    ]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    assert re.search(r"\d+ matching documents?", dom), dom[-500:]


def test_the_notebook_is_a_page(site: Path) -> None:
    text = (site / "first_steps.html").read_text(encoding="utf-8")
    assert "From a picture" in text or "from a picture" in text
    assert "--precision" in re.sub(r"<[^>]+>", "", text)
    assert (site / "first_steps.ipynb").is_file()
