"""What the tests of the page in Chromium share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from page_site import need_browser_and_runtime, serve_page


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The page, served while a module's tests run."""
    need_browser_and_runtime()
    with serve_page() as (found, _):
        yield found
