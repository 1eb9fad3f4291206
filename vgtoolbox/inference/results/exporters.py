"""Results in the formats of other tools: COCO, supervision, Label Studio."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vgtoolbox.structures import decode_masks, rle_areas

if TYPE_CHECKING:
    from supervision import Detections

    from vgtoolbox.inference.results.schemas import GroundingResult

_CATEGORY = "target"
# Label Studio's run lengths: of the bits that a length may take, each block names one of four.
_WORD_BITS = 8
_LENGTH_BITS = (3, 4, 8, 16)
_CHANNELS = 4  # it stores a mask as an RGBA picture


def coco_annotations(
    result: GroundingResult, *, image_id: int = 0, category_id: int = 1
) -> list[dict[str, Any]]:
    """Return the targets as COCO results: what `COCO.loadRes` reads, and `expression` besides."""
    annotations = []
    for index in result.targets():
        x1, y1, x2, y2 = result.boxes_xyxy[index]
        annotation: dict[str, Any] = {
            "image_id": image_id,
            "category_id": category_id,
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "area": (x2 - x1) * (y2 - y1),
            "iscrowd": 0,
            "score": result.scores[index],
            "expression": result.expression,
        }
        if result.masks:
            annotation["segmentation"] = result.masks[index]
            annotation["area"] = float(rle_areas([result.masks[index]])[0])
        annotations.append(annotation)
    return annotations


def coco_dataset(results: Iterable[GroundingResult]) -> dict[str, Any]:
    """Return a COCO file of all results: an image once, an annotation for each target.

    What was asked and found absent stands under `expressions`, which COCO does not know.
    """
    images: dict[str, dict[str, Any]] = {}
    annotations: list[dict[str, Any]] = []
    asked = []
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
        asked.append(
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
        "categories": [{"id": 1, "name": _CATEGORY}],
        "expressions": asked,
    }


def supervision_detections(result: GroundingResult) -> Detections:
    """Return the targets as `supervision.Detections`; the expression is in `data`."""
    try:
        import supervision
    except ImportError as error:
        raise ImportError(
            "to_supervision needs the package supervision: pip install 'vgtoolbox[demo]'"
        ) from error
    chosen = result.targets()
    boxes = np.array([result.boxes_xyxy[index] for index in chosen], np.float32).reshape(-1, 4)
    return supervision.Detections(
        xyxy=boxes,
        mask=result.dense_masks() if result.masks else None,
        confidence=np.array([result.scores[index] for index in chosen], np.float32),
        class_id=np.zeros(len(chosen), int),
        data={"class_name": np.array([result.expression] * len(chosen), dtype=object)},
    )


def labelstudio_task(result: GroundingResult) -> dict[str, Any]:
    """Return a task with a prediction: a rectangle for each target, and a brush for its mask.

    The labelling interface that it is for has `<Image name="image" value="$image"/>`, with
    `<RectangleLabels name="box">` and `<BrushLabels name="mask">` that know the label "target".
    """
    height, width = result.size
    common = {
        "to_name": "image",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
    }
    regions: list[dict[str, Any]] = []
    for index in result.targets():
        x1, y1, x2, y2 = result.boxes_xyxy[index]
        rectangle = {
            "x": 100 * x1 / width,
            "y": 100 * y1 / height,
            "width": 100 * (x2 - x1) / width,
            "height": 100 * (y2 - y1) / height,
            "rotation": 0,
            "rectanglelabels": [_CATEGORY],
        }
        name = f"{result.id}-{index}"
        scored = {**common, "score": result.scores[index]}
        regions.append(
            {
                **scored,
                "id": name,
                "type": "rectanglelabels",
                "from_name": "box",
                "value": rectangle,
            }
        )
        if result.masks:
            mask = decode_masks([result.masks[index]], result.size)[0].numpy()
            brush = {
                "format": "rle",
                "rle": labelstudio_rle(mask),
                "brushlabels": [_CATEGORY],
            }
            regions.append(
                {
                    **scored,
                    "id": f"{name}-mask",
                    "type": "brushlabels",
                    "from_name": "mask",
                    "value": brush,
                }
            )
    prediction = {"model_version": "vgtoolbox", "score": result.existence, "result": regions}
    return {
        "data": {"image": result.image, "expression": result.expression},
        "predictions": [prediction],
    }


def labelstudio_rle(mask: NDArray[np.bool_]) -> list[int]:
    """Encode a mask (H, W) as Label Studio stores it, which is not COCO's encoding.

    A header (number of values, bits of a value, the four sizes that a length may have), then runs:
    a bit that says "repeated", the length's size, the length less one, and the value. The format is
    @thi.ng/rle-pack's; values are those of an RGBA picture, row by row.
    """
    values = mask.reshape(-1)
    bits = [f"{values.size * _CHANNELS:032b}", f"{_WORD_BITS - 1:05b}"]
    bits += [f"{size - 1:04b}" for size in _LENGTH_BITS]
    starts = np.flatnonzero(np.diff(values, prepend=~values[:1]))
    lengths = np.diff(starts, append=values.size) * _CHANNELS
    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        bits += _runs(length, 255 if values[start] else 0)
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return [int(text[i : i + 8], 2) for i in range(0, len(text), 8)]


def _runs(length: int, value: int) -> Sequence[str]:
    """Encode one run, in blocks of what a length can say."""
    blocks = []
    while length:
        part = min(length, 2 ** _LENGTH_BITS[-1])
        which = next(i for i, size in enumerate(_LENGTH_BITS) if part <= 2**size)
        blocks.append(f"1{which:02b}{part - 1:0{_LENGTH_BITS[which]}b}{value:0{_WORD_BITS}b}")
        length -= part
    return blocks
