"""Predictions from a file, joined with samples, score as in a test run."""

from __future__ import annotations

import json

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData

from vgtoolbox.engine.target_dataset import TargetDataset
from vgtoolbox.evaluation import (
    GRECMetric,
    GRESMetric,
    RECMetric,
    RESMetric,
    iter_keyed_predictions,
    join_predictions,
    prediction_record,
    score_samples,
)
from vgtoolbox.structures import GroundingDataSample, encode_masks, merge_rles, rle_boxes_xyxy

SIZE = (40, 60)
POLYGONS = {
    11: [10, 10, 30, 10, 30, 30, 10, 30],
    12: [40, 5, 55, 5, 55, 20, 40, 20],
    13: [0, 0, 60.4, 0, 60.4, 8, 0, 8],  # exceeds the right border by rounding
}
REFS = {1: [11], 2: [-1], 3: [11, 12], 4: [13]}


@pytest.fixture
def config(tmp_path):
    """Return the config of a dataset in gRefCOCO's format without images on disk."""
    images, refs, annotations = [], [], []
    for number, ann_ids in REFS.items():
        name = f"COCO_train2014_{number:012d}.jpg"
        images.append({"id": number, "file_name": name, "height": SIZE[0], "width": SIZE[1]})
        sentence = {"sent_id": 10 + number, "sent": f"it {number}", "tokens": ["it"]}
        refs.append(
            {"ref_id": number, "ann_id": ann_ids, "image_id": number, "split": "test"}
            | {"category_id": 1, "sentences": [sentence], "sent_ids": [10 + number]}
            | {"file_name": name, "no_target": ann_ids == [-1]}
        )
    for ann_id, polygon in POLYGONS.items():
        x, y = polygon[::2], polygon[1::2]
        box = [min(x), min(y), max(x) - min(x), max(y) - min(y)]
        annotations.append(
            {"id": ann_id, "image_id": 1, "category_id": 1, "iscrowd": 0, "area": 1.0}
            | {"bbox": box, "segmentation": [polygon]}
        )
    instances = {"images": images, "annotations": annotations, "categories": []}
    (tmp_path / "instances.json").write_text(json.dumps(instances))
    (tmp_path / "grefs(unc).json").write_text(json.dumps(refs))
    return {"type": "GRefCOCODataset", "data_root": str(tmp_path), "split": "test"}


@pytest.fixture
def dataset(config):
    return TargetDataset(config)


def predicted(dataset) -> list[GroundingDataSample]:
    """Return samples with predictions: correct, correct, one of two targets, inaccurate."""
    samples = []
    for index in range(len(dataset)):
        targets = dataset[index]
        sample = GroundingDataSample(
            metainfo={
                "sample_idx": index,
                "sample_id": targets["sample_id"],
                "img_path": targets["img_path"],
                "expression": targets["expressions"][0],
                "ori_shape": SIZE,
            }
        )
        sample.gt_instances_ori = _instances(targets["boxes_ori"], targets["rles_ori"])
        masks = targets["rles_ori"][:1]
        if index == 3:
            dense = torch.zeros(1, *SIZE, dtype=torch.bool)
            dense[0, 2:11, 3:50] = True
            masks = encode_masks(dense)
        scores = torch.tensor([0.123456789, 0.9][-len(masks) :] if masks else [])
        sample.pred_instances = _instances(rle_boxes_xyxy(masks), masks, scores=scores)
        sample.pred_merged_mask = merge_rles(masks, SIZE)
        sample.pred_no_target = not masks
        sample.pred_existence = 0.9
        samples.append(sample)
    return samples


def _instances(boxes_xyxy, masks, **more):
    return InstanceData(boxes_xyxy=boxes_xyxy, masks=masks, **more)


@pytest.fixture
def predictions(dataset, tmp_path):
    path = tmp_path / "predictions.jsonl"
    lines = [json.dumps(prediction_record(sample)) for sample in predicted(dataset)]
    path.write_text("\n".join(reversed(lines)))
    return path


METRICS = (RECMetric, RESMetric, GRECMetric, GRESMetric)


def test_scores_equal_those_of_a_test_run(dataset, predictions):
    """To the last bit, with any order of the lines, and without images."""
    evaluator = Evaluator([metric() for metric in METRICS])
    evaluator.process(predicted(dataset))
    expected = evaluator.evaluate(len(dataset))
    samples = join_predictions(dataset, iter_keyed_predictions(predictions))
    ours = score_samples(samples, [metric() for metric in METRICS], len(dataset))
    assert ours == expected
    assert ours["gres/N-acc"] == 100.0
    assert 0 < ours["gres/gIoU"] < 100


def test_missing_predictions_are_an_error_by_default(dataset, predictions):
    lines = predictions.read_text().splitlines()
    predictions.write_text("\n".join(lines[:2]))
    with pytest.raises(ValueError, match="2 of 4 samples have no prediction, the first is"):
        list(join_predictions(dataset, iter_keyed_predictions(predictions)))
    samples = list(
        join_predictions(dataset, iter_keyed_predictions(predictions), missing="nothing")
    )
    assert [sample["sample_idx"] for sample in samples] == [3, 2, 0, 1]
    assert [sample["pred_no_target"] for sample in samples] == [False, False, True, True]
    values = score_samples(samples, [GRESMetric()], 4)
    assert (values["gres/N-acc"], values["gres/T-acc"]) == pytest.approx((100.0, 200 / 3))


def test_unknown_and_duplicate_keys_are_errors(dataset, predictions):
    text = predictions.read_text()
    predictions.write_text(text.replace('"1_11"', '"9_9"'))
    with pytest.raises(ValueError, match=r"no samples for 1 predictions.*sample_id '9_9'"):
        list(join_predictions(dataset, iter_keyed_predictions(predictions)))
    predictions.write_text(text + "\n" + text.splitlines()[0])
    with pytest.raises(ValueError, match=r"two predictions for sample_id '4_14'"):
        list(join_predictions(dataset, iter_keyed_predictions(predictions)))


def test_predictions_of_another_image_size_are_an_error(dataset, predictions):
    predictions.write_text(predictions.read_text().replace("[40, 60]", "[60, 40]"))
    with pytest.raises(ValueError, match=r"'4_14' must be .* \[40, 60\], got \[60, 40\]"):
        list(join_predictions(dataset, iter_keyed_predictions(predictions)))


@pytest.mark.parametrize(
    ("match_by", "keys"),
    [
        ("image_id", [1, 2, 3, 4]),
        ("position", [0, 1, 2, 3]),
        ("sent_id", [11, 12, 13, 14]),
        ("sample_id", ["1_11", "2_12", "3_13", "4_14"]),
    ],
)
def test_detections_are_matched_by_the_chosen_key(dataset, tmp_path, match_by, keys):
    path = tmp_path / "results.json"
    boxes = {0: [10, 10, 20, 20], 3: [0, 0, 60, 8]}
    path.write_text(
        json.dumps([{"image_id": keys[i], "bbox": b, "score": 0.9} for i, b in boxes.items()])
    )
    samples = join_predictions(
        dataset, iter_keyed_predictions(path), match_by=match_by, missing="nothing"
    )
    values = score_samples(samples, [GRECMetric()], 4)
    # A hit, a correct rejection, none of two targets, a hit.
    assert values["grec/Pr@(F1=1)"] == 75.0


def test_ranked_boxes_are_matched_by_annotation(dataset, tmp_path):
    """Annotation 11 is the first target of two expressions, with ranks 0 and 1."""
    path = tmp_path / "results.json"
    entries = [
        {"refexp_id": 70, "annotation_id": 11, "predicted_bounding_boxes": [[10, 10, 20, 20]]},
        {"refexp_id": 71, "annotation_id": 11, "predicted_bounding_boxes": [[40, 5, 15, 15]]},
    ]
    path.write_text(json.dumps(entries))
    predictions = iter_keyed_predictions(path, by_annotation=True)
    samples = join_predictions(dataset, predictions, match_by="ann_id", missing="nothing")
    ranked = {s["sample_id"]: s["pred_instances"]["boxes_xyxy"].tolist() for s in samples}
    assert ranked["1_11"] == [[10, 10, 30, 30]]
    assert ranked["3_13"] == [[40, 5, 55, 20]]


def test_ambiguous_keys_are_rejected(config, dataset):
    twice = TargetDataset({**config, "indices": [0, 0]})
    with pytest.raises(ValueError, match="several samples have sent_id '11'"):
        list(join_predictions(twice, [], match_by="sent_id"))
    with pytest.raises(ValueError, match="match_by must be"):
        list(join_predictions(dataset, [], match_by="name"))
