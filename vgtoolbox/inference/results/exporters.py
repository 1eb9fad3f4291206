"""Results in the formats of other tools: COCO, supervision, Label Studio."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vgtoolbox.evaluation import PredictionRecord
from vgtoolbox.inference.results.target import Target
from vgtoolbox.structures import rle_areas

if TYPE_CHECKING:
    from supervision import Detections

TARGET_CATEGORY = "target"
# Label Studio's run lengths: each block names one of four sizes for its length.
_WORD_BITS = 8
_LENGTH_BITS = (3, 4, 8, 16)
_CHANNELS = 4  # a mask is stored as an RGBA image


def coco_annotations(
    record: PredictionRecord, targets: Sequence[Target], *, image_id: int, category_id: int
) -> list[dict[str, Any]]:
    """Return targets as COCO results, which `COCO.loadRes` reads, plus the key `expression`."""
    annotations = []
    for target in targets:
        x1, y1, x2, y2 = target.box_xyxy
        annotation: dict[str, Any] = {
            "image_id": image_id,
            "category_id": category_id,
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "area": (x2 - x1) * (y2 - y1),
            "iscrowd": 0,
            "score": target.score,
            "expression": record["expression"],
        }
        if target.rle is not None:
            annotation["segmentation"] = target.rle
            annotation["area"] = float(rle_areas([target.rle])[0])
        annotations.append(annotation)
    return annotations


def supervision_detections(record: PredictionRecord, targets: Sequence[Target]) -> Detections:
    """Return targets as `supervision.Detections`, with the expression in `data`.

    Raises:
        ImportError: supervision is not installed.
    """
    try:
        import supervision
    except ImportError as error:
        raise ImportError(
            "to_supervision needs the package supervision: pip install 'vgtoolbox[demo]'"
        ) from error
    masks = [target.mask for target in targets]
    has_masks = bool(record["masks"])
    height, width = record["size"]
    return supervision.Detections(
        xyxy=np.array([target.box_xyxy for target in targets], np.float32).reshape(-1, 4),
        mask=np.array(masks, bool).reshape(-1, height, width) if has_masks else None,
        confidence=np.array([target.score for target in targets], np.float32),
        class_id=np.zeros(len(targets), int),
        data={"class_name": np.array([record["expression"]] * len(targets), dtype=object)},
    )


def labelstudio_task(record: PredictionRecord, targets: Sequence[Target]) -> dict[str, Any]:
    """Return a task with a prediction: a rectangle for each target, and a brush for its mask.

    The labeling interface needs `<Image name="image" value="$image"/>`, and
    `<RectangleLabels name="box">` and `<BrushLabels name="mask">` with the label "target".
    """
    height, width = record["size"]
    common = {
        "to_name": "image",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
    }
    regions: list[dict[str, Any]] = []
    for index, target in enumerate(targets):
        scored = {**common, "score": target.score}
        name = f"{record['id']}-{index}"
        regions.append({**scored, "id": name, **_rectangle(target, height, width)})
        if target.mask is not None:
            regions.append({**scored, "id": f"{name}-mask", **_brush(target.mask)})
    prediction = {"model_version": "vgtoolbox", "score": record["existence"], "result": regions}
    return {
        "data": {"image": record["image"], "expression": record["expression"]},
        "predictions": [prediction],
    }


def _rectangle(target: Target, height: int, width: int) -> dict[str, Any]:
    x1, y1, x2, y2 = target.box_xyxy
    value = {
        "x": 100 * x1 / width,
        "y": 100 * y1 / height,
        "width": 100 * (x2 - x1) / width,
        "height": 100 * (y2 - y1) / height,
        "rotation": 0,
        "rectanglelabels": [TARGET_CATEGORY],
    }
    return {"type": "rectanglelabels", "from_name": "box", "value": value}


def _brush(mask: NDArray[np.bool_]) -> dict[str, Any]:
    value = {"format": "rle", "rle": labelstudio_rle(mask), "brushlabels": [TARGET_CATEGORY]}
    return {"type": "brushlabels", "from_name": "mask", "value": value}


def labelstudio_rle(mask: NDArray[np.bool_]) -> list[int]:
    """Encode a mask (H, W) in Label Studio's encoding, which differs from COCO's.

    The format is that of @thi.ng/rle-pack: a header (number of values, bits per value, the four
    possible sizes of a length), then runs: a bit for "repeated", the size of the length, the length
    minus one, and the value. Values are those of an RGBA image, row by row.
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
    """Encode one run as blocks of at most the largest length that can be encoded."""
    blocks = []
    while length:
        part = min(length, 2 ** _LENGTH_BITS[-1])
        index = next(i for i, size in enumerate(_LENGTH_BITS) if part <= 2**size)
        blocks.append(f"1{index:02b}{part - 1:0{_LENGTH_BITS[index]}b}{value:0{_WORD_BITS}b}")
        length -= part
    return blocks
