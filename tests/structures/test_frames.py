import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vgtoolbox.structures import boxes_to_original, mask_logits_to_original


def _to_masks(logits, ori_shape, *, resize="nearest", threshold=0.5, img_shape=None):
    return mask_logits_to_original(
        logits,
        threshold=threshold,
        img_shape=img_shape or tuple(logits.shape[1:]),
        ori_shape=ori_shape,
        resize=resize,
    )


sides = st.integers(1, 40)


class TestBoxes:
    def test_by_hand(self):
        boxes = torch.tensor([[10.0, 20.0, 30.0, 40.0]])
        assert boxes_to_original(boxes, (0.5, 2.0), (100, 100)).tolist() == [[20, 10, 60, 20]]

    def test_boxes_are_clipped_to_the_image(self):
        boxes = torch.tensor([[-5.0, -5.0, 500.0, 20.0], [90.0, 10.0, 95.0, 20.0]])
        original = boxes_to_original(boxes, (1.0, 1.0), (15, 80))
        assert original.tolist() == [[0, 0, 80, 15], [80, 10, 80, 15]]

    @settings(deadline=None, max_examples=40)
    @given(sides, sides, sides, sides, st.integers(0, 5))
    def test_inverts_the_stretch_of_the_input(self, height, width, in_height, in_width, count):
        scale = (in_width / width, in_height / height)
        corners = torch.rand(count, 2, 2).sort(1).values * torch.tensor([width, height])
        boxes = corners.flatten(1)
        stretched = boxes * torch.tensor(scale * 2)
        original = boxes_to_original(stretched, scale, (height, width))
        torch.testing.assert_close(original, boxes, atol=1e-4, rtol=1e-4)

    def test_no_boxes(self):
        assert boxes_to_original(torch.zeros(0, 4), (0.5, 0.5), (4, 4)).shape == (0, 4)


@pytest.mark.parametrize("resize", ["nearest", "bilinear"])
class TestMasks:
    @settings(deadline=None, max_examples=25)
    @given(sides, sides, st.integers(0, 3))
    def test_size_and_type(self, resize, height, width, count):
        masks = _to_masks(torch.randn(count, 8, 12), (height, width), resize=resize)
        assert masks.shape == (count, height, width)
        assert masks.dtype == torch.bool

    def test_at_the_same_size_logits_are_only_thresholded(self, resize):
        logits = torch.randn(3, 8, 12)
        assert torch.equal(_to_masks(logits, (8, 12), resize=resize), logits >= 0)

    def test_constant_masks_stay_constant(self, resize):
        logits = torch.stack([torch.full((8, 12), 3.0), torch.full((8, 12), -3.0)])
        masks = _to_masks(logits, (17, 31), resize=resize)
        assert masks[0].all()
        assert not masks[1].any()

    def test_padding_is_removed_first(self, resize):
        logits = torch.full((1, 16, 24), 9.0)
        logits[:, :8, :12] = torch.randn(1, 8, 12)
        ours = _to_masks(logits, (20, 30), resize=resize, img_shape=(8, 12))
        assert torch.equal(ours, _to_masks(logits[:, :8, :12], (20, 30), resize=resize))

    def test_threshold_is_a_probability(self, resize):
        logits = torch.logit(torch.tensor([[[0.29, 0.31], [0.69, 0.71]]]))
        at = {t: _to_masks(logits, (2, 2), resize=resize, threshold=t) for t in (0.3, 0.5, 0.7)}
        assert at[0.3].flatten().tolist() == [False, True, True, True]
        assert at[0.5].flatten().tolist() == [False, False, True, True]
        assert at[0.7].flatten().tolist() == [False, False, False, True]

    def test_a_logit_at_the_threshold_is_foreground(self, resize):
        assert _to_masks(torch.zeros(1, 2, 2), (2, 2), resize=resize).all()

    def test_an_image_of_one_pixel(self, resize):
        assert _to_masks(torch.full((2, 8, 8), 1.0), (1, 1), resize=resize).tolist() == [
            [[True]],
            [[True]],
        ]


def test_nearest_repeats_pixels():
    logits = torch.tensor([[[1.0, -1.0], [-1.0, 1.0]]])
    expected = (logits >= 0).repeat_interleave(3, 1).repeat_interleave(2, 2)
    assert torch.equal(_to_masks(logits, (6, 4), resize="nearest"), expected)


def test_bilinear_puts_the_edge_at_the_zero_of_the_interpolated_logits():
    logits = torch.tensor([[[3.0, -1.0]]])
    # The centers of cells are at 1/4 and 3/4 of the width; the line from 3 to -1 is zero at 5/8.
    masks = _to_masks(logits, (1, 80), resize="bilinear")
    assert masks[0, 0].sum() == 50
    assert _to_masks(logits, (1, 80), resize="nearest")[0, 0].sum() == 40
