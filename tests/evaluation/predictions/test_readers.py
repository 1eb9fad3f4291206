"""Prediction files in the formats of other projects."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from vgtoolbox.evaluation import (
    DetectionOptions,
    detect_prediction_format,
    iter_keyed_predictions,
)
from vgtoolbox.structures import rle_areas

SIZE = (20, 30)
SAMPLE = {"sample_id": "7", "img_path": "a.jpg", "expressions": ["it"], "ori_shape": SIZE}
SQUARE = [[2, 2, 6, 2, 6, 6, 2, 6]]
WIDE = [[10, 0, 20, 0, 20, 10, 10, 10]]
COCO = [
    {"image_id": 7, "category_id": 1, "bbox": [2, 2, 4, 4], "score": 0.6, "segmentation": SQUARE},
    {"image_id": 9, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 0.1},
    {"image_id": 7, "category_id": 1, "bbox": [10, 0, 10, 10], "score": 0.9, "segmentation": WIDE},
]
REFEXP = [
    {"refexp_id": 5, "annotation_id": 3, "predicted_bounding_boxes": [[1, 2, 3, 4], [0, 0, 9, 9]]},
    {"refexp_id": 2, "annotation_id": 3, "predicted_bounding_boxes": []},
    {"refexp_id": 4, "annotation_id": 8, "predicted_bounding_boxes": [[0, 0, 1, 1]]},
]


@pytest.fixture
def write(tmp_path):
    def to_file(content) -> Path:
        path = tmp_path / "predictions.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return to_file


def test_formats_are_detected_by_content(write):
    assert detect_prediction_format(write(COCO)) == "coco"
    assert detect_prediction_format(write([])) == "coco"
    assert detect_prediction_format(write(REFEXP)) == "refexp"
    assert detect_prediction_format(write('{"id": "1"}\n')) == "jsonl"
    for other in ("image,box\n", '[{"caption": 1}]', ""):
        with pytest.raises(ValueError, match="unknown prediction format"):
            detect_prediction_format(write(other))


def test_coco_results_become_records(write):
    detections = dict(iter_keyed_predictions(write(COCO)))
    assert list(detections) == ["7", "9"]
    record = detections["7"].to_record(DetectionOptions(), SAMPLE)
    assert record["boxes_xyxy"] == [[2, 2, 6, 6], [10, 0, 20, 10]]
    assert (record["scores"], record["existence"], record["no_target"]) == ([0.6, 0.9], 0.9, False)
    assert (record["id"], record["expression"], record["size"]) == ("7", "it", [20, 30])
    assert rle_areas([*record["masks"], record["merged_mask"]]).tolist() == [16, 100, 100]
    lenient = detections["7"].to_record(DetectionOptions(score_thr=0.5), SAMPLE)
    assert rle_areas([lenient["merged_mask"]]).tolist() == [116]


def test_the_best_mask_is_merged_regardless_of_its_score(write):
    detections = dict(iter_keyed_predictions(write(COCO)))
    best = detections["7"].to_record(DetectionOptions(score_thr=0.95, merge="best"), SAMPLE)
    assert best["no_target"]
    assert rle_areas([best["merged_mask"]]).tolist() == [100]
    kept = detections["7"].to_record(DetectionOptions(score_thr=0.95), SAMPLE)
    assert rle_areas([kept["merged_mask"]]).tolist() == [0]


def test_boxes_without_segmentation_have_no_mask(write):
    detections = dict(iter_keyed_predictions(write(COCO)))
    record = detections["9"].to_record(DetectionOptions(), SAMPLE)
    assert (record["masks"], record["merged_mask"], record["no_target"]) == ([], None, True)


def test_ranked_boxes_get_decreasing_scores(write):
    path = write(REFEXP)
    detections = dict(iter_keyed_predictions(path))
    assert list(detections) == ["2", "4", "5"]
    assert detections["5"].boxes_xyxy == [[1, 2, 4, 6], [0, 0, 9, 9]]
    assert detections["5"].scores == [1.0, 0.5]
    assert detections["2"].boxes_xyxy == []
    # The expressions of annotation 3 in the order of their numbers: 2, then 5.
    by_annotation = dict(iter_keyed_predictions(path, by_annotation=True))
    assert {key: len(found.scores) for key, found in by_annotation.items()} == {
        "3:0": 0,
        "8:0": 1,
        "3:1": 2,
    }


@pytest.mark.parametrize(
    ("file_format", "content", "message"),
    [
        ("coco", '[{"image_id": 7, "bbox"', "truncated or not JSON"),
        ("coco", "7", "must contain a list"),
        ("coco", [{"image_id": 7, "score": 1}], "lacks 'bbox'"),
        ("coco", [{"image_id": 7, "bbox": [1, 2, 3], "score": 1}], "a box of 4 finite numbers"),
        ("coco", [COCO[0], {**COCO[1], "image_id": 7}], "some detections of '7'"),
        ("refexp", [{"refexp_id": 1, "annotation_id": 2}], "lacks 'predicted_bounding_boxes'"),
        ("refexp", [{**REFEXP[0], "predicted_bounding_boxes": [[1, 2]]}], "a box of 4 finite"),
        ("jsonl", "[1]\n", "must be a JSON object"),
    ],
)
def test_errors_name_the_broken_file(write, file_format, content, message):
    path = write(content)
    with pytest.raises(ValueError, match=message) as caught:
        dict(iter_keyed_predictions(path, file_format))
    assert path.name in str(caught.value)


def test_the_real_google_file_is_read(real_data):
    google = real_data / "annotations" / "google_refexp_val_sample_results_comprehension.json"
    detections = dict(iter_keyed_predictions(google))
    assert len(detections) == 9536
    assert detections["2"].boxes_xyxy[0] == [357, 134, 610, 480]
    assert len(dict(iter_keyed_predictions(google, by_annotation=True))) == 9536
    # COCO's images fit into 640 x 640; some boxes exceed that by rounding.
    assert all(x2 > x1 and y2 > y1 for d in detections.values() for x1, y1, x2, y2 in d.boxes_xyxy)


def test_format_is_recognized_by_the_keys_of_the_first_entry(write):
    mask = {"size": [20, 30], "counts": "x" * 20_000}
    assert detect_prediction_format(write([{"segmentation": mask, "score": 1}])) == "coco"
    boxes = [[0, 0, 1, 1]] * 5000
    entry = {"annotation_id": 1, "predicted_bounding_boxes": boxes, "refexp_id": 1}
    assert detect_prediction_format(write([entry])) == "refexp"
    with pytest.raises(ValueError, match=r"unknown prediction format.*with the keys caption"):
        detect_prediction_format(write([{"caption": '"score"'}]))


@pytest.mark.parametrize("form", ["mark", "gzip"])
def test_byte_order_mark_and_compression_are_read(tmp_path, form):
    text = json.dumps(COCO)
    path = tmp_path / "predictions.json.gz"
    path.write_bytes(gzip.compress(text.encode()) if form == "gzip" else text.encode("utf-8-sig"))
    assert list(dict(iter_keyed_predictions(path))) == ["7", "9"]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_other_encodings_are_refused(tmp_path, encoding):
    path = tmp_path / "predictions.json"
    entries = [{**COCO[0], "caption": "café"}]
    path.write_bytes(json.dumps(entries, ensure_ascii=False).encode(encoding))
    with pytest.raises(ValueError, match=r"predictions\.json, line 1: the text must be UTF-8"):
        iter_keyed_predictions(path)


def test_boxes_of_results_with_masks_only_are_those_of_the_masks(write):
    entries = [{"image_id": 7, "score": 0.9, "segmentation": s} for s in (SQUARE, WIDE)]
    record = dict(iter_keyed_predictions(write(entries)))["7"].to_record(DetectionOptions(), SAMPLE)
    assert record["boxes_xyxy"] == [[2, 2, 6, 6], [10, 0, 20, 10]]
    assert rle_areas(record["masks"]).tolist() == [16, 100]
    entries[1]["bbox"] = [10, 0, 10, 10]
    with pytest.raises(ValueError, match="some detections of '7' have a bbox and others do not"):
        iter_keyed_predictions(write(entries))
