"""Take screenshots of the web page in Chromium, for the documentation."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_WIDTH, _HEIGHT = 1280, 900
_TIMEOUT_MS = 120_000


@dataclass(frozen=True)
class AskAction:
    """Request in the first tab.

    Attributes:
        image: Path of the image to upload.
        expressions: Expressions to enter.
        layer: Label of a layer to draw in addition to the default ones. `None` adds no layer.
    """

    image: Path
    expressions: Sequence[str]
    layer: str | None = None

    def perform(self, tab: Any) -> str:
        """Send the request and return the selector of an element that appears in response."""
        tab.set_input_files("#image input[type=file]", self.image)
        tab.wait_for_selector("#image a[href*='file=']")  # the upload has ended
        tab.fill("#expressions textarea", "\n".join(self.expressions))
        if self.layer is not None:
            tab.get_by_label(self.layer).check()
        tab.click("#find")
        return "#found img"


@dataclass(frozen=True)
class BrowseAction:
    """Sample shown in the second tab.

    Attributes:
        sample: Index of the sample in the first split of the model's config.
    """

    sample: int

    def perform(self, tab: Any) -> str:
        """Show the sample and return the selector of an element that appears then."""
        tab.get_by_role("tab", name="Dataset").click()
        tab.locator("#sample input").fill(str(self.sample))
        tab.click("#show")
        return "#sample-image img"


def find_chromium() -> str | None:
    """Return the path of an installed Chromium or Chrome, or `None` if there is none."""
    return next(filter(None, map(shutil.which, _BROWSERS)), None)


def take_screenshots(
    address: str, chromium: str, actions: Mapping[Path, AskAction | BrowseAction]
) -> None:
    """Open the page once per action and save a screenshot of the response.

    Args:
        address: Address of the page.
        chromium: Path of a Chromium executable.
        actions: Actions by the PNG file to write.

    Raises:
        ImportError: playwright is not installed.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise ImportError("screenshots need playwright: pip install playwright") from error
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for file, action in actions.items():
            tab = browser.new_page(viewport={"width": _WIDTH, "height": _HEIGHT})
            tab.set_default_timeout(_TIMEOUT_MS)
            tab.goto(address)
            tab.wait_for_selector(action.perform(tab))
            tab.wait_for_timeout(1000)  # images fade in
            tab.screenshot(path=file, full_page=True)
            tab.close()
        browser.close()
