"""Dataset of targets for scoring."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from vgtoolbox.engine.target_dataset import TargetDataset
from vgtoolbox.evaluation import GRECMetric, join_predictions, score_samples
from vgtoolbox.registry import DATASETS
from vgtoolbox.structures import rle_areas

SQUARE = [10, 10, 30, 10, 30, 30, 10, 30]
# Exceeds the right border of 60 pixels by rounding.
BAR = [0, 0, 60.4, 0, 60.4, 8, 0, 8]


@pytest.fixture
def config(tmp_path):
    def of_lines(*lines, **options):
        shared = {"image": "a.png", "height": 40, "width": 60}
        text = "\n".join(json.dumps({**shared, **line}) for line in lines)
        (tmp_path / "own.jsonl").write_text(text)
        return {
            "type": "JSONLinesDataset",
            "data_root": str(tmp_path),
            "ann_file": "own.jsonl",
            "split": "test",
            **options,
        }

    return of_lines


def test_targets_are_those_of_the_test_pipeline(config, tmp_path):
    """Boxes and masks are equal, without an image on disk."""
    lines = [
        {"expression": "both", "masks": [[SQUARE], [BAR]], "id": "x"},
        {"expression": "none", "boxes": [], "id": "y"},
    ]
    dataset = TargetDataset(config(*lines))
    assert not list(tmp_path.glob("*.png"))
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(tmp_path / "a.png")
    pipeline = [{"type": "LoadImage"}, {"type": "LoadTargets"}]
    full = DATASETS.build(config(*lines, pipeline=pipeline))
    for index in range(2):
        ours, theirs = dataset[index], full[index]
        assert ours["boxes_ori"].tolist() == theirs["boxes_ori"].tolist()
        assert ours["rles_ori"] == theirs["rles_ori"]
        assert ours["ori_shape"] == theirs["ori_shape"]
        assert ours["sample_idx"] == theirs["sample_idx"] == index
    assert dataset[0]["boxes_ori"][1].tolist() == [0.0, 0.0, 60.0, 8.0]


def test_options_of_load_targets_apply(config):
    line = {"expression": "it", "boxes": [[10.7, 3.2, 20.9, 9.9]]}
    pipeline = {"load": {"type": "LoadImage"}, "t": {"type": "LoadTargets", "truncate_boxes": True}}
    cut = TargetDataset(config(line, pipeline=pipeline))
    assert cut[0]["boxes_ori"].tolist() == [[10.0, 3.0, 20.0, 9.0]]
    whole = TargetDataset(config(line))
    assert whole[0]["boxes_ori"][0, 0] == pytest.approx(10.7)


def test_masks_are_omitted_if_there_are_boxes_only(config):
    (sample,) = TargetDataset(config({"expression": "it", "boxes": [[1, 2, 3, 4]]}))
    assert "rles_ori" not in sample


@pytest.mark.parametrize("group_by", ["expression", "ref", "image"])
def test_each_expression_is_a_sample_for_every_grouping(config, group_by):
    lines = [
        {"expression": ["it", "that"], "masks": [[SQUARE]], "id": "x"},
        {"expression": "none", "boxes": [], "id": "y"},
    ]
    dataset = TargetDataset(config(*lines, group_by=group_by))
    samples = [dataset[index] for index in range(len(dataset))]
    assert [sample["sample_id"] for sample in samples] == ["x_0", "x_1", "y"]
    assert [sample["expressions"] for sample in samples] == [["it"], ["that"], ["none"]]
    assert [sample["sample_idx"] for sample in samples] == [0, 1, 2]
    rounds = {"expression": [None] * 3, "ref": [0, 1, 0], "image": [0, 1, 2]}
    assert [sample.get("round") for sample in samples] == rounds[group_by]
    assert [rle_areas(sample["rles_ori"]).tolist() for sample in samples] == [[400], [400], []]


def test_a_sample_without_annotated_targets_is_rejected(config):
    with pytest.raises(ValueError, match="sample '0' has no annotated targets"):
        TargetDataset(config({"expression": "it"}))[0]


def test_the_size_is_read_from_the_image_if_not_annotated(config, tmp_path):
    Image.fromarray(np.zeros((30, 50, 3), np.uint8)).save(tmp_path / "b.png")
    line = {"image": "b.png", "expression": "it", "boxes": []}
    settings = config()
    (tmp_path / "own.jsonl").write_text(json.dumps(line))
    assert TargetDataset(settings)[0]["ori_shape"] == (30, 50)


def test_a_constant_prediction_on_real_annotations(real_data):
    """25 of 506 expressions have no target."""
    keys = {"expression": "normal_caption", "boxes": "solution", "id": "annotation_id"}
    dataset = TargetDataset(
        {
            "type": "JSONLinesDataset",
            "ann_root": str(real_data / "annotations"),
            "ann_file": "refcocos_test.json",
            "split": "test",
            "keys": keys,
        }
    )
    samples = join_predictions(dataset, [], missing="nothing")
    assert score_samples(samples, [GRECMetric()], len(dataset)) == {
        "grec/Pr@(F1=1)": pytest.approx(100 * 25 / 506),
        "grec/N-acc": 100.0,
        "grec/T-acc": 0.0,
    }
