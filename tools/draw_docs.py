"""Draw the pictures of docs/images anew, with the checkpoint that comes with the repository.

    python tools/draw_docs.py [--out docs/images] [--without-page]

demo.png is one scene and what is found for several expressions, predictions.png a sheet of held-out
samples drawn at random, webui*.png the page in a browser, for which Chromium has to be installed.
The world is read from data/shapes: python tools/prepare_data.py shapes --out data/shapes
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vgtoolbox.engine.errors import USER_ERRORS
from vgtoolbox.inference import GroundingInferencer
from vgtoolbox.inference.web import Responder
from vgtoolbox.inference.web.page import build_page, launch_page
from vgtoolbox.registry import DATASETS
from vgtoolbox.visualization import SheetEntry, draw_contact_sheet
from vgtoolbox.visualization.drawing import side_by_side
from vgtoolbox.zoo import ROOT

MODEL = "InstanceVG-tiny-shapes"
SCENE = ROOT / "data" / "shapes" / "images" / "COCO_train2014_000000006306.jpg"
EXPRESSIONS = ("every circle", "the biggest shape", "the blue cross", "the green triangle")
SPLIT = "grefs_test"
SAMPLES, COLUMNS = 16, 4
# The picture as it lies on disk, with targets in its frame: no resizing, no tokens.
PIPELINE = [{"type": name} for name in ("LoadImage", "ChooseExpression", "LoadTargets")]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def draw_demo(ground: GroundingInferencer, file: Path) -> None:
    """Draw one scene beside itself, once for each expression."""
    results = ground(SCENE, EXPRESSIONS)
    Image.fromarray(side_by_side(ground.visualize(SCENE, results), gap=8)).save(file)


def draw_sheet(ground: GroundingInferencer, file: Path) -> None:
    """Draw held-out samples, the same ones each time, ground truth beside prediction."""
    dataset = DATASETS.build({**ground.config.test_splits[SPLIT]["dataset"], "pipeline": PIPELINE})
    chosen = np.random.default_rng(0).permutation(len(dataset))[:SAMPLES]
    entries = []
    for sample in (dataset[int(index)] for index in chosen):
        (result,) = ground(sample["img_path"], sample["expression"])
        entries.append(SheetEntry.of_sample(sample, result.to_dict()))
    sheet = draw_contact_sheet(entries, columns=COLUMNS, score_thr=ground.score_thr)
    Image.fromarray(sheet).save(file)


def photograph_page(ground: GroundingInferencer, folder: Path, browser: str) -> None:
    """Ask the page in a browser, with and without attention, and look through the split."""
    from playwright.sync_api import sync_playwright

    responder = Responder({MODEL: lambda: ground})
    page = build_page(responder)
    address = launch_page(page, port=None, max_file_bytes=2**20, block=False)
    try:
        with sync_playwright() as driver:
            chromium = driver.chromium.launch(executable_path=browser, args=["--no-sandbox"])
            tab = chromium.new_page(viewport={"width": 1280, "height": 900})
            tab.set_default_timeout(120_000)
            tab.goto(address)
            tab.set_input_files("#picture input[type=file]", SCENE)
            tab.fill("#expressions textarea", "\n".join(EXPRESSIONS))
            _ask(tab, "#find", folder / "webui.png")
            tab.get_by_label("attention map").check()
            _ask(tab, "#find", folder / "webui-attention.png")
            tab.get_by_role("tab", name="Data set").click()
            tab.locator("#sample input").fill("7")
            _ask(tab, "#show", folder / "webui-data.png")
            chromium.close()
    finally:
        page.close()
        responder.close()


def _ask(tab: Any, button: str, file: Path) -> None:
    """Press a button, wait until the answer stands, and photograph the page."""
    with tab.expect_response(lambda response: "/queue/data" in response.url) as answered:
        tab.click(button)
    answered.value.finished()
    tab.wait_for_load_state("networkidle")
    tab.wait_for_timeout(1000)  # pictures fade in
    tab.screenshot(path=file, full_page=True)


def main(words: list[str] | None = None) -> None:
    """Draw all of them."""
    parser = argparse.ArgumentParser(description="Draw the pictures of docs/images anew.")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images", metavar="D")
    parser.add_argument("--without-page", action="store_true", help="nothing that needs a browser")
    arguments = parser.parse_args(words)
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None and not arguments.without_page:
        raise FileNotFoundError("no Chromium is installed; add --without-page, or install it")
    arguments.out.mkdir(parents=True, exist_ok=True)
    ground = GroundingInferencer(MODEL, device="cpu")
    draw_demo(ground, arguments.out / "demo.png")
    draw_sheet(ground, arguments.out / "predictions.png")
    if browser and not arguments.without_page:
        photograph_page(ground, arguments.out, browser)
    print(*sorted(arguments.out.glob("*.png")), sep="\n")


if __name__ == "__main__":
    try:
        main()
    except (*USER_ERRORS, OSError, ValueError, ImportError) as error:
        sys.exit(f"error: {error}")
