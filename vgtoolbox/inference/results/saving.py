"""Results as files: a picture to look at, a line to read, the formats of other tools."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from PIL import Image

from vgtoolbox.inference.results.exporters import coco_dataset
from vgtoolbox.inference.results.schemas import GroundingResult
from vgtoolbox.utils.atomic_file import atomic_file
from vgtoolbox.visualization.drawing import RGBImage

FORMATS: Mapping[str, Callable[[Sequence[GroundingResult]], Any]] = MappingProxyType(
    {
        "coco": coco_dataset,
        "labelstudio": lambda results: [result.to_labelstudio() for result in results],
    }
)
"""What makes the content of `<name>.json` of results."""


def save_formats(
    results: Sequence[GroundingResult], folder: str | Path, formats: Iterable[str]
) -> None:
    """Write all results as `<format>.json` into a folder, in formats out of `FORMATS`."""
    for name in formats:
        with atomic_file(Path(folder) / f"{name}.json") as file:
            file.write(json.dumps(FORMATS[name](results), ensure_ascii=False).encode())


def save_result(
    result: GroundingResult, picture: RGBImage, folder: str | Path
) -> tuple[Path, Path]:
    """Write a result and its picture into a folder, and return where.

    Args:
        result: Its `id` names the files.
        picture: uint8 RGB (H, W, 3), as `GroundingInferencer.visualize` draws it.
        folder: Made where it is not there.

    Returns:
        The PNG, and the JSON with one line of `predictions.jsonl`.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    image_file, json_file = folder / f"{result.id}.png", folder / f"{result.id}.json"
    Image.fromarray(picture).save(image_file)
    line = json.dumps(result.to_dict(), ensure_ascii=False, allow_nan=False)
    json_file.write_text(line + "\n", encoding="utf-8")
    return image_file, json_file
