"""One result as two files: a picture to look at and a line to read."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from vgtoolbox.inference.schemas import GroundingResult
from vgtoolbox.visualization.drawing import Picture


def save_result(result: GroundingResult, picture: Picture, folder: str | Path) -> tuple[Path, Path]:
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
