"""`predictions.jsonl`: schema, frame, order and errors of the reader."""

from __future__ import annotations

import gzip
import json

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData

from vgtoolbox.evaluation import PredictionWriter, prediction_record, read_predictions
from vgtoolbox.registry import METRICS
from vgtoolbox.structures import (
    GroundingDataSample,
    decode_masks,
    encode_masks,
    masks_to_boxes_xyxy,
)
from vgtoolbox.utils.atomic_file import atomic_file

KEYS = [
    "id",
    "image",
    "expression",
    "size",
    "boxes_xyxy",
    "scores",
    "masks",
    "merged_mask",
    "no_target",
    "existence",
    "text",
]


def write(samples, path, *, size=None):
    metric = METRICS.build({"type": "PredictionWriter", "out_file": str(path)})
    evaluator = Evaluator([metric])
    for sample in samples:
        evaluator.process([sample])
    assert evaluator.evaluate(len(samples) if size is None else size) == {}


def test_a_record_has_exactly_the_keys_of_the_schema(make_sample):
    sample = make_sample(4)
    record = prediction_record(sample)
    assert list(record) == KEYS
    assert record["id"] == "4_0"
    assert record["size"] == [24, 32]
    assert record["scores"] == sample.pred_instances.scores.tolist()
    assert record["merged_mask"] == sample.pred_merged_mask
    assert (record["no_target"], record["text"]) == (sample.pred_no_target, None)
    assert record["existence"] == pytest.approx(float(sample.pred_instances.scores.max()))


def test_written_lines_are_read_back_in_dataset_order(make_sample, tmp_path):
    samples = [make_sample(i) for i in (3, 0, 2, 1, 3, 0)]
    path = tmp_path / "deep" / "predictions.jsonl"
    write(samples, path, size=4)
    records = read_predictions(path)
    assert records == [prediction_record(make_sample(i)) for i in range(4)]
    assert list(path.parent.iterdir()) == [path], "no temporary file remains"


def test_no_sample_gives_an_empty_file(tmp_path):
    write([], tmp_path / "predictions.jsonl")
    assert read_predictions(tmp_path / "predictions.jsonl") == []


def test_predictions_in_the_input_frame_are_mapped_to_the_original():
    """The input has twice the size: each original pixel is a block of 2 x 2."""
    mask = torch.zeros(1, 4, 6, dtype=torch.bool)
    mask[:, 1:3, 2:5] = True
    rles = encode_masks(mask.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2))
    sample = {
        "sample_id": "a",
        "img_path": "a.jpg",
        "expression": "it",
        "ori_shape": (4, 6),
        "img_shape": (8, 12),
        "scale_factor": (2.0, 2.0),
        "pred_frame": "input",
        "pred_instances": {
            "boxes_xyxy": torch.tensor([[4.0, 2.0, 10.0, 6.0]]),
            "scores": torch.tensor([0.5]),
            "masks": rles,
        },
        "pred_merged_mask": rles[0],
    }
    record = prediction_record(sample)
    assert record["boxes_xyxy"] == [[2.0, 1.0, 5.0, 3.0]]
    assert record["masks"] == encode_masks(mask) == [record["merged_mask"]]


def test_no_target_samples_are_mapped_to_the_original(make_input_frame_sample):
    record = prediction_record(make_input_frame_sample(0))
    assert (record["boxes_xyxy"], record["masks"], record["no_target"]) == ([], [], True)
    assert not decode_masks([record["merged_mask"]]).any()


def test_a_flipped_prediction_is_rejected(make_input_frame_sample):
    sample = make_input_frame_sample(1)
    sample.set_metainfo({"flip": True})
    with pytest.raises(ValueError, match="was flipped"):
        prediction_record(sample)


def test_a_system_with_boxes_only_has_no_masks_and_claims_a_target():
    box = masks_to_boxes_xyxy(torch.ones(1, 2, 3, dtype=torch.bool))
    sample = GroundingDataSample(
        metainfo={"sample_id": "a", "img_path": "a.jpg", "expression": "it", "ori_shape": (2, 3)},
        pred_instances=InstanceData(boxes_xyxy=box, scores=torch.tensor([0.5])),
    )
    record = prediction_record(sample)
    assert (record["masks"], record["merged_mask"]) == ([], None)
    assert (record["no_target"], record["existence"]) == (False, 1.0)


def test_errors_name_the_broken_line(tmp_path):
    path = tmp_path / "predictions.jsonl"
    path.write_text('{"id": "1"}\n')
    with pytest.raises(ValueError, match=r"predictions\.jsonl, line 1 lacks \['boxes_xyxy'"):
        read_predictions(path)
    path.write_text('{"id": \n')
    with pytest.raises(ValueError, match="line 1 is not JSON"):
        read_predictions(path)


def test_a_failed_write_keeps_the_previous_file(make_sample, tmp_path):
    path = tmp_path / "predictions.jsonl"
    write([make_sample(1)], path)
    previous = path.read_text()
    writer = PredictionWriter(out_file=path)
    broken = {**prediction_record(make_sample(2)), "existence": float("nan")}
    with pytest.raises(ValueError, match="not JSON compliant"):
        writer.compute_metrics([broken])
    assert path.read_text() == previous
    assert list(tmp_path.iterdir()) == [path]


def test_an_atomic_file_appears_only_when_complete(tmp_path):
    path = tmp_path / "values.json"
    with atomic_file(path) as file:
        file.write(b"[1, 2]")
        assert not path.exists()
    assert json.loads(path.read_text()) == [1, 2]


@pytest.mark.parametrize("form", ["mark", "gzip", "latin-1", "utf-16"])
def test_encoding_is_checked_and_compression_read(make_sample, tmp_path, form):
    record = {**prediction_record(make_sample(0)), "text": "café"}
    text = json.dumps(record, ensure_ascii=False) + "\n"
    path = tmp_path / "predictions.jsonl"
    encoding = {"mark": "utf-8-sig", "gzip": "utf-8"}.get(form, form)
    data = text.encode(encoding)
    path.write_bytes(gzip.compress(data) if form == "gzip" else data)
    if form in ("mark", "gzip"):
        assert [each["text"] for each in read_predictions(path)] == ["café"]
    else:
        with pytest.raises(ValueError, match=r"predictions\.jsonl, line 1: .*must be UTF-8"):
            read_predictions(path)
