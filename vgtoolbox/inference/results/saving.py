"""Save results as images, JSON, and files for other tools."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from vgtoolbox.inference.results.exporters import TARGET_CATEGORY
from vgtoolbox.inference.results.result import GroundingResult
from vgtoolbox.utils.atomic_file import atomic_file
from vgtoolbox.utils.text import encode_json
from vgtoolbox.visualization.drawing import RGBImage
from vgtoolbox.visualization.image_file import save_image


def coco_dataset(results: Iterable[GroundingResult]) -> dict[str, Any]:
    """Return a COCO file of all results: each image once, an annotation for each target.

    All expressions, also those without a target, are in the additional key `expressions`.
    """
    images: dict[str, dict[str, Any]] = {}
    annotations: list[dict[str, Any]] = []
    expressions = []
    numbers = itertools.count(1)
    for result in results:
        height, width = result.size
        entry = images.setdefault(
            result.image,
            {
                "id": len(images) + 1,
                "file_name": result.image,
                "height": height,
                "width": width,
            },
        )
        found = [{"id": next(numbers), **a} for a in result.to_coco(image_id=entry["id"])]
        annotations += found
        expressions.append(
            {
                "image_id": entry["id"],
                "expression": result.expression,
                "annotation_ids": [annotation["id"] for annotation in found],
                "no_target": result.no_target,
            }
        )
    return {
        "images": list(images.values()),
        "annotations": annotations,
        "categories": [{"id": 1, "name": TARGET_CATEGORY}],
        "expressions": expressions,
    }


FORMATS: Mapping[str, Callable[[Sequence[GroundingResult]], Any]] = MappingProxyType(
    {
        "coco": coco_dataset,
        "labelstudio": lambda results: [result.to_labelstudio() for result in results],
    }
)
"""Content of `<name>.json`, made from results, by name of the format."""


def save_formats(
    results: Sequence[GroundingResult], folder: str | Path, formats: Iterable[str]
) -> None:
    """Write all results into a folder, as `<format>.json` for each of the `FORMATS` named."""
    for name in formats:
        with atomic_file(Path(folder) / f"{name}.json") as file:
            file.write(encode_json(FORMATS[name](results)))


def save_result(
    result: GroundingResult, folder: str | Path, image: RGBImage | None = None
) -> tuple[Path, Path]:
    """Write a result and its drawing to a folder, and return the paths.

    Args:
        result: Result whose `id` names the files.
        folder: Output folder, created if it does not exist.
        image: Drawing of the result, uint8 RGB (H, W, 3). If `None`, `result.plot()` is used.

    Returns:
        The PNG, and the JSON with one line of `predictions.jsonl`.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    image_file = folder / f"{result.id}.png"
    save_image(result.plot() if image is None else image, image_file)
    return image_file, result.save(folder / f"{result.id}.json")
