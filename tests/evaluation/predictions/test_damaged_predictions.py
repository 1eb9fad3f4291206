"""Prediction files with wrong geometry: the error names file, line and key, at once."""

from __future__ import annotations

import json

import pytest

from vgtoolbox.evaluation import (
    DetectionOptions,
    iter_keyed_predictions,
    iter_predictions,
    read_predictions,
)
from vgtoolbox.inference import GroundingResult
from vgtoolbox.structures import empty_rle, segmentation_to_rle
from vgtoolbox.visualization import Overlay

SIZE = (48, 64)
MASK = segmentation_to_rle([[8, 8, 24, 8, 24, 20, 8, 20]], SIZE)
CUT_OFF = {**MASK, "counts": MASK["counts"][:-6]}
RECORD = {
    "id": "20_0",
    "image": "2.png",
    "expression": "the red box",
    "size": list(SIZE),
    "boxes_xyxy": [[8, 8, 24, 20]],
    "scores": [0.9],
    "masks": [MASK],
    "merged_mask": MASK,
    "no_target": False,
    "existence": 0.9,
    "text": None,
}
EMPTY = {"boxes_xyxy": [], "scores": [], "masks": [], "merged_mask": None, "no_target": True}
BROKEN = {
    "mask cut off": ({"merged_mask": CUT_OFF}, r"merged_mask .* pixels, the image has 3072"),
    "one of the masks": ({"masks": [CUT_OFF]}, r"masks\[0\] .* pixels, the image has 3072"),
    "short mask": (
        {"merged_mask": {"size": list(SIZE), "counts": "T3X6"}},
        "merged_mask .* got 2 runs of 300 pixels, the image has 3072",
    ),
    "list of runs": (
        {"masks": [{"size": list(SIZE), "counts": [100, 200]}]},
        r"masks\[0\] .* 2 runs of 300 pixels",
    ),
    "mask of another image": ({"merged_mask": empty_rle((2, 3))}, "merged_mask .* got 2 x 3"),
    "inverted box": ({"boxes_xyxy": [[24, 20, 8, 8]]}, r"boxes_xyxy\[0\] .*x1 <= x2"),
    "more boxes": ({"boxes_xyxy": [[8, 8, 9, 9]] * 2}, "scores .* 2 boxes and 1 scores"),
    "more masks": ({"masks": [MASK] * 2}, "masks .* 1 boxes and 2 masks"),
    "null": ({"scores": None}, "scores must be a list of numbers, got NoneType"),
    "text": ({"scores": ["0.9"]}, r"scores\[0\] must be a finite number, got str '0.9'"),
    "not finite": ({"scores": [float("nan")]}, r"scores\[0\] must be a finite number"),
    "far box": ({"boxes_xyxy": [[0, 0, 1e300, 5]]}, r"boxes_xyxy\[0\] .* finite"),
    "no_target": ({"no_target": "false"}, "no_target must be true or false, got str 'false'"),
    "size": ({"size": [48.0, 64]}, r"size must be \[height, width\]"),
    "image": ({"image": None}, "image must be text, got NoneType"),
    "expression": ({"expression": ["a"]}, "expression must be text, got list of 1"),
    "answer": ({"text": 3}, "text must be text, got int 3"),
    "id": ({"id": True}, "id must be text, got bool True"),
}


@pytest.fixture
def write(tmp_path):
    def to_file(*records):
        path = tmp_path / "predictions.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        return path

    return to_file


@pytest.mark.parametrize("case", BROKEN)
def test_errors_name_file_line_and_key(write, case):
    changes, message = BROKEN[case]
    path = write(RECORD, {**RECORD, **EMPTY}, {**RECORD, **changes}, RECORD)
    for read in (read_predictions, lambda path: list(iter_keyed_predictions(path))):
        with pytest.raises(ValueError, match=rf"predictions\.jsonl, line 3: {message}") as caught:
            read(path)
        assert "\n" not in str(caught.value)


def test_lines_before_an_error_are_returned(write):
    records = iter_predictions(write(RECORD, {**RECORD, "scores": []}))
    assert next(records) == RECORD
    with pytest.raises(ValueError, match="line 2"):
        next(records)


@pytest.mark.parametrize("count", [1, 31, 32, 33, 70])
def test_all_lines_are_read_whatever_their_number(write, count):
    records = [{**RECORD, "id": str(number)} for number in range(count)]
    assert read_predictions(write(*records)) == records


@pytest.mark.parametrize(
    "case", [name for name in BROKEN if name not in ("image", "expression", "answer", "id")]
)
def test_results_and_drawings_are_not_made_of_wrong_values(case):
    changes, message = BROKEN[case]
    for make in (GroundingResult.from_dict, lambda r: Overlay.from_prediction(r, score_thr=0.5)):
        with pytest.raises(ValueError, match=message):
            make({**RECORD, **changes})


def test_deep_nesting_is_an_error(tmp_path):
    path = tmp_path / "predictions.jsonl"
    path.write_text('{"id": ' + "[" * 200_000)
    with pytest.raises(ValueError, match="line 1 is not JSON"):
        read_predictions(path)


@pytest.mark.parametrize("empty", [{"segmentation": []}, {"segmentation": None}, {}])
def test_coco_results_without_masks(write, empty):
    entry = {"image_id": 7, "bbox": [8, 8, 16, 12], "score": 0.9, **empty}
    path = write([entry])
    sample = {"sample_id": "7", "img_path": "a", "expressions": ["it"], "ori_shape": SIZE}
    ((_, found),) = iter_keyed_predictions(path, "coco")
    record = found.to_record(DetectionOptions(), sample)
    assert (record["boxes_xyxy"], record["masks"]) == ([[8, 8, 24, 20]], [])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bbox": [8, 8, -4, 4]}, "entry 1, the key 'bbox', .*not negative"),
        ({"bbox": [8, 8, 4]}, "entry 1, the key 'bbox', must be a box of 4 finite numbers"),
        ({"bbox": [8, 8, "4", 4]}, "entry 1, the key 'bbox', must be a box of 4 finite numbers"),
        ({"bbox": [8, 8, float("inf"), 4]}, "entry 1, the key 'bbox'"),
        ({"score": "0.9"}, "entry 1, the key 'score'.* must be a finite number, got str"),
        ({"score": float("nan")}, "entry 1, the key 'score'"),
        ({"score": None}, "entry 1, the key 'score'"),
    ],
)
def test_errors_name_the_entry_of_coco_results(write, changes, message):
    entry = {"image_id": 7, "bbox": [8, 8, 16, 12], "score": 0.9}
    path = write([entry, {**entry, "image_id": 8, **changes}])
    with pytest.raises(ValueError, match=rf"predictions\.jsonl is not .*{message}"):
        list(iter_keyed_predictions(path, "coco"))


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (CUT_OFF, "pixels, the image has 3072"),
        (empty_rle((2, 3)), "48 x 64, got 2 x 3"),
        ([[0, 0, 1e9, 0, 9, 9]], "must be inside the image"),
        ([[0, 0, float("nan"), 0, 9, 9]], "all finite"),
        ([[0, 0, 9, 9]], "at least 3 points"),
        (3, "must be a list of polygons"),
    ],
)
def test_errors_name_the_entry_of_a_mask(write, mask, message):
    entry = {"image_id": 7, "bbox": [8, 8, 16, 12], "score": 0.9, "segmentation": MASK}
    path = write([entry, {**entry, "segmentation": mask}])
    sample = {"sample_id": "7", "img_path": "a", "expressions": ["it"], "ori_shape": SIZE}
    ((_, found),) = iter_keyed_predictions(path, "coco")
    with pytest.raises(ValueError, match=rf"predictions\.jsonl, entry 1: .*{message}"):
        found.to_record(DetectionOptions(), sample)


def test_ranked_boxes_are_checked(write):
    entry = {"refexp_id": 5, "annotation_id": 3, "predicted_bounding_boxes": [[1, 2, -3, 4]]}
    with pytest.raises(ValueError, match="refexp 5, box 0, must be x, y, width, height"):
        list(iter_keyed_predictions(write([entry]), "refexp"))
    with pytest.raises(ValueError, match="must be a list of boxes, got NoneType"):
        path = write([{**entry, "predicted_bounding_boxes": None}])
        list(iter_keyed_predictions(path, "refexp"))


def test_boxes_in_fractions_are_an_error_after_the_last_line(write):
    tiny = {**RECORD, "boxes_xyxy": [[0.125, 0.2, 0.5, 0.5]]}
    with pytest.raises(ValueError, match=r"predictions\.jsonl must have boxes in pixels"):
        list(iter_keyed_predictions(write(tiny, tiny)))
    assert len(list(iter_keyed_predictions(write(tiny, RECORD)))) == 2
    assert len(list(iter_keyed_predictions(write({**RECORD, **EMPTY})))) == 1
