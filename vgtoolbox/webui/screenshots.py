"""Pictures of the page in a real browser, for its documentation."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_WIDTH, _HEIGHT = 1280, 900
_PATIENCE_MS = 120_000


@dataclass(frozen=True)
class Question:
    """What a visitor asks in the first tab.

    Attributes:
        image: To upload.
        expressions: To type.
        layer: Label of a layer to switch on besides.
    """

    image: Path
    expressions: Sequence[str]
    layer: str | None = None

    def put(self, tab: Any) -> str:
        """Ask, and return the selector of what appears with the answer."""
        tab.set_input_files("#picture input[type=file]", self.image)
        tab.get_by_text(self.image.name[:9]).first.wait_for()  # it is uploaded
        tab.fill("#expressions textarea", "\n".join(self.expressions))
        if self.layer is not None:
            tab.get_by_label(self.layer).check()
        tab.click("#find")
        return "#found img"


@dataclass(frozen=True)
class Browsing:
    """What a visitor looks at in the second tab.

    Attributes:
        sample: Position in the first split of the model's config.
    """

    sample: int

    def put(self, tab: Any) -> str:
        """Show the sample, and return the selector of what appears then."""
        tab.get_by_role("tab", name="Data set").click()
        tab.locator("#sample input").fill(str(self.sample))
        tab.click("#show")
        return "#sample-picture img"


def find_browser() -> str | None:
    """Return the path of an installed Chromium; None where there is none."""
    return next(filter(None, map(shutil.which, _BROWSERS)), None)


def photograph_page(address: str, browser: str, wanted: Mapping[Path, Question | Browsing]) -> None:
    """Visit the page once for each file, and photograph the answer.

    Args:
        address: Of the page.
        browser: Path of a Chromium.
        wanted: Files to write, and what is asked for each.

    Raises:
        ImportError: playwright is not installed.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise ImportError("pictures of the page need playwright: pip install playwright") from error
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        for file, question in wanted.items():
            tab = chromium.new_page(viewport={"width": _WIDTH, "height": _HEIGHT})
            tab.set_default_timeout(_PATIENCE_MS)
            tab.goto(address)
            tab.wait_for_selector(question.put(tab))
            tab.wait_for_timeout(1000)  # pictures fade in
            tab.screenshot(path=file, full_page=True)
            tab.close()
        chromium.close()
