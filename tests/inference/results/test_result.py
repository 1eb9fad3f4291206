import io
import json

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from PIL import Image

from vgtoolbox.evaluation import PredictionRecord, read_predictions
from vgtoolbox.inference import GroundingResult
from vgtoolbox.structures import GroundingDataSample, encode_masks
from vgtoolbox.visualization.overlay import LAYERS

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


def test_to_dict_is_a_line_of_predictions_jsonl(sample, tmp_path):
    result = GroundingResult.from_data_sample(sample)
    line = result.to_dict()
    assert set(line) == PredictionRecord.__required_keys__
    assert line["size"] == [6, 8]
    assert line["boxes_xyxy"][1] == [0, 4, 8, 6]
    assert line["existence"] == 0.75
    (tmp_path / "predictions.jsonl").write_text(json.dumps(line) + "\n")
    assert read_predictions(tmp_path / "predictions.jsonl") == [line]


def test_expression_is_kept_as_the_user_wrote_it(sample):
    assert GroundingResult.from_data_sample(sample).expression == "the zebra"
    result = GroundingResult.from_data_sample(sample, expression="The Zebra!")
    assert result.expression == "The Zebra!"


def test_targets_are_the_candidates_above_the_threshold_best_first(sample):
    for score_thr, scores in ((0.7, [0.9, 0.8]), (0.85, [0.9]), (0.95, [])):
        result = GroundingResult.from_data_sample(sample, score_thr=score_thr)
        assert [target.score for target in result] == pytest.approx(scores)
        assert len(result) == len(scores)
        assert result
    sample.pred_no_target = True
    assert GroundingResult.from_data_sample(sample, score_thr=0.7).targets == []


def test_attributes_of_a_target(sample):
    sample.pred_instances.points_xy = torch.tensor([[4.0, 1], [4, 5], [1, 1]])
    best, second = GroundingResult.from_data_sample(sample)
    assert best.box_xyxy == (0, 4, 8, 6)
    assert best.mask.shape == SIZE
    assert best.mask[4:].all()
    assert not best.mask[:4].any()
    assert best.point == (4, 5)
    assert second.box_xyxy == (0, 0, 8, 2)


def test_candidates_are_all_queries_in_order(sample):
    scores = [candidate.score for candidate in GroundingResult.from_data_sample(sample).candidates]
    assert scores == pytest.approx([0.8, 0.9, 0.0])


class TestRepresentation:
    def test_repr_is_one_readable_line(self, sample):
        assert repr(GroundingResult.from_data_sample(sample)) == (
            "zebra.jpg, 'the zebra': box (0, 4, 8, 6) score 0.90, box (0, 0, 8, 2) score 0.80 "
            "(existence 0.75)"
        )

    def test_repr_without_a_target(self, sample):
        sample.pred_no_target = True
        assert "no target (existence 0.75)" in repr(GroundingResult.from_data_sample(sample))

    def test_repr_of_many_targets_is_shortened(self, sample):
        result = GroundingResult.from_data_sample(sample, score_thr=0.0)
        many = {**result.record, "boxes_xyxy": [[0, 0, 1, 1]] * 9, "scores": [0.9] * 9, "masks": []}
        assert "and 6 more" in repr(GroundingResult.from_dict(many))


class TestPlot:
    def test_draws_over_the_given_image(self, sample, tmp_path):
        pixels = np.full((*SIZE, 3), 200, np.uint8)
        result = GroundingResult.from_data_sample(sample, source=pixels)
        assert np.array_equal(result.plot(), result.plot(pixels))
        assert Image.open(io.BytesIO(result._repr_png_())).size == result.plot().shape[1::-1]
        assert Image.open(result.save(tmp_path / "deep" / "x.png")).size[0] >= SIZE[1]

    def test_points_are_not_drawn_by_default(self, sample):
        sample.pred_instances.points_xy = torch.tensor([[4.0, 1], [4, 5], [1, 1]])
        result = GroundingResult.from_data_sample(sample)
        pixels = np.full((*SIZE, 3), 200, np.uint8)
        without = result.plot(pixels, layers=["masks", "boxes", "labels"])
        assert np.array_equal(result.plot(pixels), without)
        assert not np.array_equal(result.plot(pixels, layers=LAYERS), without)

    def test_draws_over_the_file_that_the_record_names(self, sample, tmp_path):
        file = tmp_path / "zebra.png"
        Image.new("RGB", SIZE[::-1], "white").save(file)
        sample.set_metainfo({"img_path": str(file)})
        assert GroundingResult.from_data_sample(sample).plot().ndim == 3

    def test_notebook_shows_text_if_the_image_is_missing(self, sample):
        result = GroundingResult.from_data_sample(sample)
        assert result._repr_png_() is None
        with pytest.raises(FileNotFoundError, match=r"zebra\.jpg"):
            result.plot()

    def test_show_opens_a_viewer(self, sample, monkeypatch):
        shown = []
        monkeypatch.setattr(Image.Image, "show", lambda self, title: shown.append(title))
        source = np.zeros((*SIZE, 3), np.uint8)
        GroundingResult.from_data_sample(sample, source=source).show()
        assert shown == ["the zebra"]


class TestTables:
    def test_csv_has_one_line_for_each_target(self, sample):
        header, best, second = GroundingResult.from_data_sample(sample).to_csv().splitlines()
        assert header == "image,expression,target,score,x1,y1,x2,y2,mask_area"
        assert best.startswith("zebra.jpg,the zebra,1,0.89")
        assert best.endswith(",0.0,4.0,8.0,6.0,16")
        assert second.endswith(",0.0,0.0,8.0,2.0,16")

    def test_pandas_has_the_same_columns_without_a_target(self, sample):
        frame = GroundingResult.from_data_sample(sample).to_pandas()
        assert frame["mask_area"].tolist() == [16, 16]
        sample.pred_no_target = True
        empty = GroundingResult.from_data_sample(sample).to_pandas()
        assert len(empty) == 0
        assert list(empty.columns) == list(frame.columns)

    def test_json_is_the_line_of_predictions_jsonl(self, sample, tmp_path):
        result = GroundingResult.from_data_sample(sample)
        assert json.loads(result.to_json()) == result.to_dict()
        saved = result.save(tmp_path / "zebra.json")
        assert GroundingResult.from_dict(json.loads(saved.read_text())) == result


def test_no_instances(sample):
    sample.pred_instances = InstanceData(
        boxes_xyxy=torch.zeros((0, 4)), scores=torch.zeros(0), masks=[]
    )
    result = GroundingResult.from_data_sample(sample)
    assert (result.candidates, result.targets) == ([], [])


class TestReduced:
    def test_topk_keeps_the_best_candidates_in_order(self, sample):
        result = GroundingResult.from_data_sample(sample)
        best = result.reduced(topk=2)
        assert best.candidates == result.candidates[:2]
        assert result.reduced(topk=1).candidates == [result.candidates[1]]
        assert result.reduced(topk=9) == result
        assert best.record["merged_mask"] == result.record["merged_mask"]

    def test_tasks_keep_boxes_or_masks(self, sample):
        result = GroundingResult.from_data_sample(sample)
        assert result.reduced() == result.reduced(tasks="both") == result
        boxes = result.reduced(tasks="box")
        assert (boxes.record["masks"], boxes.merged_mask) == ([], None)
        assert [c.box_xyxy for c in boxes.candidates] == [c.box_xyxy for c in result.candidates]
        masks = result.reduced(tasks="mask")
        extents = [candidate.box_xyxy for candidate in masks.candidates]
        assert extents == [(0, 0, 8, 2), (0, 4, 8, 6), (0, 0, 0, 0)]  # the last mask is empty

    def test_invalid_tasks_and_topk(self, sample):
        result = GroundingResult.from_data_sample(sample).reduced(tasks="box")
        for tasks in ("mask", "both"):
            with pytest.raises(ValueError, match="predicts boxes only"):
                result.reduced(tasks=tasks)
        with pytest.raises(
            ValueError, match="tasks must be 'auto', 'box', 'mask' or 'both', got 'boxes'"
        ):
            result.reduced(tasks="boxes")
        with pytest.raises(ValueError, match="topk must be 1 or more"):
            result.reduced(topk=0)
