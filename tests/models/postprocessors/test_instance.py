import pytest
import torch

from vgtoolbox.registry import TASK_UTILS
from vgtoolbox.structures import GroundingDataSample, decode_masks, empty_rle, rle_areas

INPUT, ORIGINAL = (8, 16), (16, 64)  # H, W; x is scaled by 1/4, y by 1/2
BOXES = torch.tensor([[0.0, 0.0, 0.5, 0.5], [0.5, 0.5, 1.0, 1.0], [0.25, 0.0, 0.75, 1.0]])
SCORES = (0.9, 0.8, 0.3)


def _sample(ori_shape=ORIGINAL, img_shape=INPUT):
    scale = (img_shape[1] / ori_shape[1], img_shape[0] / ori_shape[0])
    return GroundingDataSample(
        metainfo={"ori_shape": ori_shape, "img_shape": img_shape, "scale_factor": scale}
    )


def _raw(boxes=BOXES, scores=SCORES, existence=1.0, padded=INPUT, batch=1):
    """Make raw outputs: the mask of a query fills its box, the semantic mask the bottom row."""
    height, width = padded
    masks = torch.full((len(boxes) + 1, height, width), -5.0)
    scale = torch.tensor([width, height, width, height])
    for mask, box in zip(masks, (boxes * scale).round().int().tolist(), strict=False):
        x1, y1, x2, y2 = (max(0, side) for side in box)
        mask[y1:y2, x1:x2] = 5.0
    masks[-1, -1] = 5.0
    outputs = {
        "scores": torch.tensor(scores),
        "boxes_xyxy": boxes,
        "points": (boxes[:, :2] + boxes[:, 2:]) / 2,
        "instance_mask_logits": masks[:-1],
        "semantic_mask_logits": masks[-1:],
    }
    raw = {name: tensor.expand(batch, *tensor.shape) for name, tensor in outputs.items()}
    return raw | {"existence": torch.full((batch,), existence)}


def _run(raw=None, sample=None, **options):
    postprocessor = TASK_UTILS.build({"type": "InstancePostprocessor", **options})
    (filled,) = postprocessor(**(raw or _raw()), data_samples=[sample or _sample()])
    return filled


def _dense(sample):
    return decode_masks(sample.pred_instances.masks)


class TestFrames:
    def test_original(self):
        sample = _run()
        expected = BOXES * torch.tensor([64, 16, 64, 16])
        torch.testing.assert_close(sample.pred_instances.boxes_xyxy, expected)
        points = sample.pred_instances.points_xy
        torch.testing.assert_close(points, (expected[:, :2] + expected[:, 2:]) / 2)
        assert sample.pred_frame == "original"
        for mask, (x1, y1, x2, y2) in zip(_dense(sample), expected.int().tolist(), strict=True):
            assert mask.shape == ORIGINAL
            assert mask[y1:y2, x1:x2].all()
            assert mask.sum() == (y2 - y1) * (x2 - x1)

    def test_input(self):
        sample = _run(frame="input")
        expected = BOXES * torch.tensor([16, 8, 16, 8])
        torch.testing.assert_close(sample.pred_instances.boxes_xyxy, expected)
        assert sample.pred_frame == "input"
        assert tuple(sample.pred_merged_mask["size"]) == INPUT
        assert tuple(_dense(sample).shape[1:]) == INPUT

    @pytest.mark.parametrize("frame", ["original", "input"])
    def test_padding_is_removed(self, frame):
        padded = (16, 32)  # the image fills the top left quarter
        boxes = BOXES / 2
        sample = _run(_raw(boxes, padded=padded), frame=frame, merged_mask="instance")
        reference = _run(frame=frame, merged_mask="instance")
        torch.testing.assert_close(
            sample.pred_instances.boxes_xyxy, reference.pred_instances.boxes_xyxy
        )
        assert sample.pred_instances.masks == reference.pred_instances.masks
        assert sample.pred_merged_mask == reference.pred_merged_mask

    @pytest.mark.parametrize("resize", ["nearest", "bilinear"])
    def test_one_pixel_original(self, resize):
        sample = _run(sample=_sample(ori_shape=(1, 1)), mask_resize=resize)
        assert tuple(sample.pred_merged_mask["size"]) == (1, 1)
        corners = sample.pred_instances.boxes_xyxy
        assert ((corners >= 0) & (corners <= 1)).all()

    def test_boxes_are_clipped_to_the_image(self):
        boxes = torch.tensor([[-0.5, 0.25, 1.5, 2.0]])
        sample = _run(_raw(boxes, scores=(0.9,)))
        assert sample.pred_instances.boxes_xyxy.tolist() == [[0.0, 4.0, 64.0, 16.0]]


class TestMaskResize:
    def test_nearest_repeats_pixels_and_bilinear_smooths(self):
        raw = _raw(torch.tensor([[0.25, 0.25, 0.5, 0.75]]), scores=(0.9,))
        nearest = _dense(_run(raw, mask_resize="nearest"))[0]
        assert torch.equal(nearest[::2, ::4], nearest[1::2, 3::4])
        bilinear = _dense(_run(raw, mask_resize="bilinear"))[0]
        assert not torch.equal(bilinear, nearest)
        assert (bilinear & nearest).sum() / (bilinear | nearest).sum() > 0.8

    def test_mask_threshold_is_a_probability(self):
        raw = _raw(torch.tensor([[0.0, 0.0, 0.5, 0.5]]), scores=(0.9,))  # logits 5 and -5
        full = ORIGINAL[0] * ORIGINAL[1]
        for threshold, area in ((0.5, full // 4), (0.999, 0), (0.001, full)):
            sample = _run(raw, mask_thr=threshold)
            assert rle_areas(sample.pred_instances.masks).tolist() == [area]


class TestScores:
    def test_weighted_by_existence(self):
        raw = _raw(existence=0.5)
        torch.testing.assert_close(_run(raw).pred_instances.scores, torch.tensor(SCORES) / 2)
        plain = _run(raw, score_weighted=False)
        torch.testing.assert_close(plain.pred_instances.scores, torch.tensor(SCORES))
        assert plain.pred_existence == 0.5

    @pytest.mark.parametrize("weighted", [True, False])
    def test_existence_below_its_threshold_pushes_scores_below_theirs(self, weighted):
        options = {"score_thr": 0.2, "score_weighted": weighted}
        default = _run(_raw(existence=0.8), **options)
        same = _run(_raw(existence=0.8), existence_thr=0.8, **options)
        torch.testing.assert_close(same.pred_instances.scores, default.pred_instances.scores)
        rejected = _run(_raw(existence=0.8), existence_thr=0.81, **options)
        scores = rejected.pred_instances.scores
        assert rejected.pred_no_target
        assert not default.pred_no_target
        assert (scores < 0.2).all()
        assert torch.equal(scores.argsort(), default.pred_instances.scores.argsort())

    @pytest.mark.parametrize("frame", ["original", "input"])
    def test_empty_box_gets_score_zero_and_keeps_its_position(self, frame):
        boxes = torch.stack([torch.tensor([1.1, 0.2, 1.4, 0.6]), BOXES[1]])
        sample = _run(_raw(boxes, scores=(0.95, 0.9)), frame=frame, merged_mask="instance")
        scores = sample.pred_instances.scores
        torch.testing.assert_close(scores, torch.tensor([0.0, 0.9]))
        assert len(sample.pred_instances.boxes_xyxy) == len(sample.pred_instances.masks) == 2
        # The merged mask is that of the second query, not of the first one in the list.
        assert sample.pred_merged_mask == sample.pred_instances.masks[1]
        assert rle_areas([sample.pred_merged_mask])[0] > 0

    def test_nms_sets_the_lower_of_two_scores_to_zero(self):
        near = BOXES[0] + torch.tensor([0.0, 0.0, 0.02, 0.0])
        boxes = torch.stack([BOXES[0], near, BOXES[1]])
        raw = _raw(boxes, scores=(0.8, 0.9, 0.75))
        torch.testing.assert_close(
            _run(raw, nms_thr=0.7).pred_instances.scores, torch.tensor([0.0, 0.9, 0.75])
        )
        torch.testing.assert_close(_run(raw).pred_instances.scores, torch.tensor([0.8, 0.9, 0.75]))

    def test_nms_ignores_empty_boxes(self):
        outside = torch.tensor([[1.2, 0.0, 1.4, 0.5]])
        sample = _run(_raw(torch.cat([outside, BOXES[:1]]), scores=(0.99, 0.9)), nms_thr=0.5)
        torch.testing.assert_close(sample.pred_instances.scores, torch.tensor([0.0, 0.9]))


class TestNoTarget:
    @pytest.mark.parametrize(("score", "no_target"), [(0.75, True), (0.7501, False), (0.2, True)])
    def test_score_of_a_target_is_above_the_threshold(self, score, no_target):
        sample = _run(_raw(BOXES[:1], scores=(score,)), score_thr=0.75)
        assert sample.pred_no_target is no_target

    def test_empty_box_is_not_a_target(self):
        sample = _run(_raw(torch.tensor([[1.1, 0.0, 1.2, 0.5]]), scores=(0.99,)))
        assert sample.pred_no_target is True

    def test_low_existence_rejects_everything(self):
        assert _run(_raw(existence=0.1)).pred_no_target is True


class TestMergedMask:
    def test_instance_is_the_union_of_queries_above_the_threshold(self):
        sample = _run(merged_mask="instance")
        union = decode_masks([sample.pred_merged_mask])[0]
        assert torch.equal(union, _dense(sample)[:2].any(0))

    def test_semantic_is_the_semantic_branch_alone(self):
        sample = _run(merged_mask="semantic", frame="input")
        mask = decode_masks([sample.pred_merged_mask])[0]
        assert mask[-1].all()
        assert not mask[:-1].any()

    def test_merge_is_the_union_of_both(self):
        merged, instance, semantic = (
            decode_masks([_run(merged_mask=mode).pred_merged_mask])[0]
            for mode in ("merge", "instance", "semantic")
        )
        assert torch.equal(merged, instance | semantic)
        assert not torch.equal(merged, instance)

    def test_without_a_query_above_the_threshold(self):
        nothing = _raw(scores=(0.1, 0.2, 0.3))
        semantic = _run(merged_mask="semantic").pred_merged_mask
        assert _run(nothing, merged_mask="instance").pred_merged_mask == empty_rle(ORIGINAL)
        assert _run(nothing, merged_mask="merge").pred_merged_mask == semantic
        assert _run(nothing, merged_mask="semantic").pred_merged_mask == semantic


def test_each_sample_of_a_batch_has_its_own_frame():
    postprocessor = TASK_UTILS.build({"type": "InstancePostprocessor"})
    samples = [_sample(), _sample(ori_shape=(8, 16))]
    large, small = postprocessor(**_raw(batch=2), data_samples=samples)
    assert large is samples[0]
    ratio = torch.tensor([4.0, 2.0, 4.0, 2.0])
    torch.testing.assert_close(
        large.pred_instances.boxes_xyxy, small.pred_instances.boxes_xyxy * ratio
    )
    assert tuple(small.pred_merged_mask["size"]) == (8, 16)


def test_half_precision_outputs_are_accepted():
    raw = {name: tensor.bfloat16() for name, tensor in _raw().items()}
    sample = _run(raw)
    assert sample.pred_instances.boxes_xyxy.dtype == torch.float32
    assert sample.pred_instances.scores.dtype == torch.float32


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"merged_mask": "global"}, "merged_mask must be .* got 'global'"),
        ({"frame": "padded"}, "frame must be 'original' or 'input', got 'padded'"),
        ({"mask_resize": "area"}, "mask_resize must be 'nearest' or 'bilinear', got 'area'"),
        ({"score_thr": 70}, "score_thr must be between 0 and 1, got 70"),
        ({"nms_thr": -0.1}, "nms_thr must be between 0 and 1"),
    ],
)
def test_invalid_options(option, message):
    with pytest.raises(ValueError, match=message):
        TASK_UTILS.build({"type": "InstancePostprocessor", **option})


class TestWithoutSemanticMask:
    def _raw(self):
        raw = _raw()
        del raw["semantic_mask_logits"]
        return raw

    def test_instance_needs_no_semantic_mask(self):
        expected = _run(merged_mask="instance")
        found = _run(self._raw(), merged_mask="instance")
        assert found.pred_merged_mask == expected.pred_merged_mask
        assert found.pred_instances.masks == expected.pred_instances.masks

    @pytest.mark.parametrize("scores", [(0.3, 0.9, 0.8), (0.1, 0.3, 0.2)])
    def test_best_mask_is_written_even_below_the_threshold(self, scores):
        raw = _raw(scores=scores)
        del raw["semantic_mask_logits"]
        found = _run(raw, merged_mask="best")
        assert found.pred_merged_mask == found.pred_instances.masks[1]
        assert found.pred_no_target == (max(scores) < 0.7)

    @pytest.mark.parametrize("merged_mask", ["merge", "semantic"])
    def test_other_choices_need_a_semantic_mask(self, merged_mask):
        message = f"merged_mask='{merged_mask}' needs a semantic mask.* to 'instance' or 'best'"
        with pytest.raises(ValueError, match=message):
            _run(self._raw(), merged_mask=merged_mask)
