"""Redraw the pictures of docs/images with the checkpoint in the repository.

    python tools/dev/draw_docs.py [--out docs/images] [--without-page]

demo.png is one scene with the results of several expressions, predictions.png is a sheet of random
held-out samples, and webui*.png is the page in a browser, which requires Chromium. The data are in
data/shapes, which `python tools/prepare_data.py shapes --out data/shapes` generates.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from vgtoolbox.cli.errors import exit_on_user_error
from vgtoolbox.inference import GroundingInferencer
from vgtoolbox.registry import DATASETS
from vgtoolbox.utils.image_files import IMAGE_FORMATS
from vgtoolbox.utils.resources import resource_root
from vgtoolbox.visualization import SheetEntry, draw_contact_sheet
from vgtoolbox.visualization.drawing import RGBImage, side_by_side
from vgtoolbox.webui import Responder
from vgtoolbox.webui.page import build_page, launch_page
from vgtoolbox.webui.screenshots import (
    AskAction,
    BrowseAction,
    find_chromium,
    take_screenshots,
)

MODEL = "InstanceVG-tiny-shapes"
SCENE = resource_root() / "data" / "shapes" / "images" / "COCO_train2014_000000004548.jpg"
EXPRESSIONS = ("the circles", "the circle furthest to the top", "the triangle", "every cross")
SPLIT = "grefs_test"
SAMPLES, COLUMNS, SAMPLE = 16, 4, 7
# The image as stored on disk, with targets in its frame: no resizing, no tokens.
PIPELINE = [{"type": name} for name in ("LoadImage", "ChooseExpression", "LoadTargets")]


def draw_demo(ground: GroundingInferencer, file: Path) -> None:
    """Draw one scene once per expression, side by side."""
    results = ground(SCENE, EXPRESSIONS)
    _save(side_by_side(ground.visualize(SCENE, results), gap=8), file)


def draw_sheet(ground: GroundingInferencer, file: Path) -> None:
    """Draw a fixed set of held-out samples, each prediction next to its ground truth."""
    dataset = DATASETS.build({**ground.config.test_splits[SPLIT]["dataset"], "pipeline": PIPELINE})
    chosen = np.random.default_rng(0).permutation(len(dataset))[:SAMPLES]
    entries = []
    for sample in (dataset[int(index)] for index in chosen):
        (result,) = ground(sample["img_path"], sample["expression"])
        entries.append(SheetEntry.from_sample(sample, result.to_dict()))
    sheet = draw_contact_sheet(entries, columns=COLUMNS, side=192, score_thr=ground.score_thr)
    _save(sheet, file)


def _save(picture: RGBImage, file: Path) -> None:
    # 256 colors look the same here and take a third of the space.
    Image.fromarray(picture).quantize(256).save(file, optimize=True)


def draw_page(ground: GroundingInferencer, folder: Path, browser: str) -> None:
    """Take screenshots of the page: a response, an attention map and a sample of the split."""
    responder = Responder({MODEL: lambda: ground})
    page = build_page(responder)
    address = launch_page(page, port=None, max_file_bytes=2**20, block=False)
    actions: dict[Path, AskAction | BrowseAction] = {
        folder / "webui.png": AskAction(SCENE, EXPRESSIONS),
        folder / "webui-attention.png": AskAction(SCENE, EXPRESSIONS, layer="attention map"),
        folder / "webui-data.png": BrowseAction(SAMPLE),
    }
    try:
        take_screenshots(address, browser, actions)
        for file in actions:
            _save(np.asarray(Image.open(file, formats=IMAGE_FORMATS).convert("RGB")), file)
    finally:
        page.close()
        responder.close()


def main(words: list[str] | None = None) -> None:
    """Draw all pictures."""
    parser = argparse.ArgumentParser(description="Redraw the pictures of docs/images.")
    parser.add_argument(
        "--out", type=Path, default=resource_root() / "docs" / "images", metavar="D"
    )
    parser.add_argument(
        "--without-page", action="store_true", help="skip the pictures that need a browser"
    )
    arguments = parser.parse_args(words)
    browser = find_chromium()
    if browser is None and not arguments.without_page:
        raise FileNotFoundError("no Chromium is installed; add --without-page, or install it")
    arguments.out.mkdir(parents=True, exist_ok=True)
    ground = GroundingInferencer(MODEL, device="cpu")
    draw_demo(ground, arguments.out / "demo.png")
    draw_sheet(ground, arguments.out / "predictions.png")
    if browser and not arguments.without_page:
        draw_page(ground, arguments.out, browser)
    print(*sorted(arguments.out.glob("*.png")), sep="\n")


if __name__ == "__main__":
    with exit_on_user_error(OSError, ValueError, ImportError):
        main()
