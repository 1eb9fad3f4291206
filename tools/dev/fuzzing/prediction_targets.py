"""Prediction files through scoring, results, and the geometry below them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fuzzing.annotation_targets import HEIGHT, IMAGE, WIDTH, write_images
from fuzzing.target import ImpossibleValueError, Target
from vgtoolbox.engine.target_dataset import TargetDataset
from vgtoolbox.evaluation import (
    ErrorCriteria,
    iter_keyed_predictions,
    join_predictions,
    read_predictions,
    sample_result,
    score_samples,
)
from vgtoolbox.inference import GroundingResult
from vgtoolbox.registry import METRICS
from vgtoolbox.structures import (
    decode_masks,
    merge_rles,
    rle_areas,
    rle_boxes_xyxy,
    rle_iou,
    segmentation_to_rle,
)

_FILE = "predictions.json"
_METRICS = ("GRESMetric", "GRECMetric", "RECMetric")


def _with_dataset(folder: Path) -> None:
    write_images(folder)
    square = [[2.0, 2.0, 12.0, 2.0, 12.0, 12.0, 2.0, 12.0]]
    boxes: Any = ([[2, 2, 12, 12]], [])
    lines = [
        {"image": IMAGE, "expression": "the square", "id": number, "boxes": box, "masks": mask}
        | {"height": HEIGHT, "width": WIDTH}
        for number, (box, mask) in enumerate(zip(boxes, ([square], []), strict=True))
    ]
    (folder / "val.jsonl").write_text("\n".join(map(json.dumps, lines)))


def _score(file_format: Any, missing: Any = "nothing") -> Callable[[Path], None]:
    def run(folder: Path) -> None:
        config = {"type": "JSONLinesDataset", "data_root": str(folder), "split": "val"}
        dataset = TargetDataset(config)
        keyed = iter_keyed_predictions(folder / "predictions.json", file_format)
        samples = []
        for sample in join_predictions(dataset, keyed, missing=missing):
            sample_result(sample, ErrorCriteria(score_thr=0.7)).as_row()
            samples.append(sample)
        with_masks = all("pred_merged_mask" in sample for sample in samples)
        names = _METRICS if with_masks else _METRICS[1:]
        metrics = [METRICS.build({"type": name}) for name in names]
        for name, value in score_samples(samples, metrics, len(dataset)).items():
            if not (math.isnan(value) or 0 <= value <= max(100, HEIGHT * WIDTH)):
                raise ImpossibleValueError(f"{name} is {value}")

    return run


def _use_results(folder: Path) -> None:
    for record in read_predictions(folder / "predictions.json"):
        result = GroundingResult.from_dict(record, score_thr=0.7)
        result.to_rows()
        result.to_json().encode()
        result.to_coco()
        for target in result.targets:
            repr(target)
        repr(result)
        result.resized((24, 32)).to_csv()


def _use_geometry(folder: Path) -> None:
    try:
        content = json.loads((folder / "masks.json").read_bytes())
    except (ValueError, RecursionError):
        return
    for segmentation in content if isinstance(content, list) else [content]:
        rle = segmentation_to_rle(segmentation, (HEIGHT, WIDTH))
        if not 0 <= int(rle_areas([rle])[0]) <= HEIGHT * WIDTH:
            raise ImpossibleValueError("a mask has more pixels than its image")
        if int(decode_masks([rle], (HEIGHT, WIDTH)).sum()) != int(rle_areas([rle])[0]):
            raise ImpossibleValueError("the area differs from the number of pixels")
        rle_boxes_xyxy([rle])
        rle_iou([rle], [merge_rles([rle, rle], (HEIGHT, WIDTH))])


# `eval` reports each ValueError in one line. Errors of the file name it; those of its match with
# the dataset name the key.
ERRORS = (ValueError,)

TARGETS = {
    "predictions-jsonl": Target(_FILE, _score("jsonl"), ERRORS, _with_dataset, names_file=False),
    "predictions-coco": Target(_FILE, _score(None), ERRORS, _with_dataset, names_file=False),
    "predictions-refexp": Target(_FILE, _score("refexp"), ERRORS, _with_dataset, names_file=False),
    "results": Target("predictions.json", _use_results, ERRORS),
    "geometry": Target("masks.json", _use_geometry, (ValueError,), names_file=False),
}
