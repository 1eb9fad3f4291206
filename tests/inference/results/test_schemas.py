import json

import pytest
import torch
from mmengine.structures import InstanceData

from vgtoolbox.evaluation import PredictionRecord, read_predictions
from vgtoolbox.inference import GroundingResult
from vgtoolbox.structures import GroundingDataSample, encode_masks

SIZE = (6, 8)


@pytest.fixture
def sample():
    masks = torch.zeros((3, *SIZE), dtype=torch.bool)
    masks[0, :2], masks[1, 4:] = True, True
    return GroundingDataSample(
        metainfo={
            "sample_id": "zebra-1",
            "img_path": "zebra.jpg",
            "expression": "the zebra",
            "ori_shape": SIZE,
        },
        pred_instances=InstanceData(
            boxes_xyxy=torch.tensor([[0.0, 0, 8, 2], [0, 4, 8, 6], [1, 1, 1, 1]]),
            scores=torch.tensor([0.8, 0.9, 0.0]),
            masks=encode_masks(masks),
        ),
        pred_merged_mask=encode_masks(masks.any(0, keepdim=True))[0],
        pred_existence=0.75,
        pred_no_target=False,
    )


def test_is_a_line_of_predictions_jsonl(sample, tmp_path):
    result = GroundingResult.from_data_sample(sample)
    line = result.to_dict()
    assert set(line) == PredictionRecord.__required_keys__
    assert line["size"] == [6, 8]
    assert line["boxes_xyxy"][1] == [0, 4, 8, 6]
    assert line["existence"] == 0.75
    (tmp_path / "predictions.jsonl").write_text(json.dumps(line) + "\n")
    assert read_predictions(tmp_path / "predictions.jsonl") == [line]


def test_keeps_the_expression_as_it_was_asked(sample):
    assert GroundingResult.from_data_sample(sample).expression == "the zebra"
    result = GroundingResult.from_data_sample(sample, expression="The Zebra!")
    assert result.expression == "The Zebra!"


def test_targets_are_what_passes_the_threshold_best_first(sample):
    result = GroundingResult.from_data_sample(sample)
    assert result.targets(0.7) == [1, 0]
    assert result.targets(0.85) == [1]
    assert result.targets(0.95) == []
    sample.pred_no_target = True
    assert GroundingResult.from_data_sample(sample).targets(0.7) == []


def test_zero_instances(sample):
    sample.pred_instances = InstanceData(
        boxes_xyxy=torch.zeros((0, 4)), scores=torch.zeros(0), masks=[]
    )
    result = GroundingResult.from_data_sample(sample)
    assert (result.boxes_xyxy, result.scores, result.masks) == ([], [], [])
    assert result.targets(0.0) == []


class TestReduced:
    def test_the_best_candidates_in_their_order(self, sample):
        result = GroundingResult.from_data_sample(sample)
        best = result.reduced(topk=2)
        assert best.scores == result.scores[:2]
        assert (best.masks, best.boxes_xyxy) == (result.masks[:2], result.boxes_xyxy[:2])
        assert result.reduced(topk=1).scores == [result.scores[1]]
        assert result.reduced(topk=9) == result
        assert best.merged_mask == result.merged_mask

    def test_boxes_or_masks_alone(self, sample):
        result = GroundingResult.from_data_sample(sample)
        assert result.reduced() == result.reduced(tasks="both") == result
        boxes = result.reduced(tasks="box")
        assert (boxes.masks, boxes.merged_mask) == ([], None)
        assert boxes.boxes_xyxy == result.boxes_xyxy
        masks = result.reduced(tasks="mask")
        assert masks.boxes_xyxy[:2] == [[0, 0, 8, 2], [0, 4, 8, 6]]
        assert masks.boxes_xyxy[2] == [0, 0, 0, 0]  # an empty mask has no extent

    def test_what_is_not_there_can_not_be_asked_for(self, sample):
        result = GroundingResult.from_data_sample(sample).reduced(tasks="box")
        for tasks in ("mask", "both"):
            with pytest.raises(ValueError, match="predicts boxes only"):
                result.reduced(tasks=tasks)
        with pytest.raises(ValueError, match="tasks must be one of auto, box, mask, both"):
            result.reduced(tasks="boxes")
        with pytest.raises(ValueError, match="topk must be 1 or more"):
            result.reduced(topk=0)
