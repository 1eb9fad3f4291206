"""Other people's prediction files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vgtoolbox.evaluation import DetectionRule, guess_layout, iter_answers
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


def test_layouts_are_told_by_the_content(write):
    assert guess_layout(write(COCO)) == "coco"
    assert guess_layout(write([])) == "coco"
    assert guess_layout(write(REFEXP)) == "refexp"
    assert guess_layout(write('{"id": "1"}\n')) == "jsonl"
    for other in ("image,box\n", '[{"caption": 1}]', ""):
        with pytest.raises(ValueError, match="no prediction file that is known"):
            guess_layout(write(other))


def test_coco_results_become_answers(write):
    answers = dict(iter_answers(write(COCO)))
    assert list(answers) == ["7", "9"]
    record = answers["7"].record(DetectionRule(), SAMPLE)
    assert record["boxes_xyxy"] == [[2, 2, 6, 6], [10, 0, 20, 10]]
    assert (record["scores"], record["existence"], record["no_target"]) == ([0.6, 0.9], 0.9, False)
    assert (record["id"], record["expression"], record["size"]) == ("7", "it", [20, 30])
    assert rle_areas([*record["masks"], record["merged_mask"]]).tolist() == [16, 100, 100]
    everything = answers["7"].record(DetectionRule(score_thr=0.5), SAMPLE)
    assert rle_areas([everything["merged_mask"]]).tolist() == [116]


def test_the_best_mask_is_merged_whatever_its_score(write):
    answers = dict(iter_answers(write(COCO)))
    best = answers["7"].record(DetectionRule(score_thr=0.95, merge="best"), SAMPLE)
    assert best["no_target"]
    assert rle_areas([best["merged_mask"]]).tolist() == [100]
    kept = answers["7"].record(DetectionRule(score_thr=0.95), SAMPLE)
    assert rle_areas([kept["merged_mask"]]).tolist() == [0]


def test_boxes_alone_have_no_mask(write):
    answers = dict(iter_answers(write(COCO)))
    record = answers["9"].record(DetectionRule(), SAMPLE)
    assert (record["masks"], record["merged_mask"], record["no_target"]) == ([], None, True)


def test_ranked_boxes_get_falling_scores(write):
    path = write(REFEXP)
    answers = dict(iter_answers(path))
    assert list(answers) == ["2", "4", "5"]
    assert answers["5"].boxes_xyxy == [[1, 2, 4, 6], [0, 0, 9, 9]]
    assert answers["5"].scores == [1.0, 0.5]
    assert answers["2"].boxes_xyxy == []
    # The expressions of annotation 3 in the order of their numbers: 2, then 5.
    by_annotation = dict(iter_answers(path, by_annotation=True))
    assert {key: len(answer.scores) for key, answer in by_annotation.items()} == {
        "3:0": 0,
        "8:0": 1,
        "3:1": 2,
    }


@pytest.mark.parametrize(
    ("layout", "content", "message"),
    [
        ("coco", '[{"image_id": 7, "bbox"', "truncated or no JSON"),
        ("coco", "7", "should hold a list"),
        ("coco", [{"image_id": 7, "score": 1}], "lacks 'bbox'"),
        ("coco", [{"image_id": 7, "bbox": [1, 2, 3], "score": 1}], "not enough values"),
        ("coco", [COCO[0], {**COCO[1], "image_id": 7}], "some detections of '7'"),
        ("refexp", [{"refexp_id": 1, "annotation_id": 2}], "lacks 'predicted_bounding_boxes'"),
        ("refexp", [{**REFEXP[0], "predicted_bounding_boxes": [[1, 2]]}], "not enough values"),
        ("jsonl", "[1]\n", "no JSON object"),
    ],
)
def test_broken_files_are_named(write, layout, content, message):
    path = write(content)
    with pytest.raises(ValueError, match=message) as caught:
        dict(iter_answers(path, layout))
    assert path.name in str(caught.value)


def test_the_real_google_file_is_read(real_data):
    google = real_data / "annotations" / "google_refexp_val_sample_results_comprehension.json"
    answers = dict(iter_answers(google))
    assert len(answers) == 9536
    assert answers["2"].boxes_xyxy[0] == [357, 134, 610, 480]
    assert len(dict(iter_answers(google, by_annotation=True))) == 9536
    # Some boxes reach over the border of the 640 x 640 that COCO's images fit in by rounding.
    assert all(x2 > x1 and y2 > y1 for a in answers.values() for x1, y1, x2, y2 in a.boxes_xyxy)
