import json

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vgtoolbox.structures import (
    check_rle_size,
    decode_masks,
    empty_rle,
    encode_masks,
    intersection_and_union,
    masks_to_boxes_xyxy,
    merge_rles,
    resize_mask_logits,
    resize_masks,
    rle_areas,
    rle_boxes_xyxy,
    rle_iou,
    segmentation_to_rle,
)


@st.composite
def dense_masks(draw, min_masks=0, max_masks=4, max_side=9):
    shape = (
        draw(st.integers(min_masks, max_masks)),
        draw(st.integers(1, max_side)),
        draw(st.integers(1, max_side)),
    )
    density = draw(st.sampled_from([0.0, 0.2, 0.5, 1.0]))
    seed = draw(st.integers(0, 2**16))
    return torch.from_numpy(np.random.default_rng(seed).random(shape) < density)


def _size(masks):
    return tuple(masks.shape[-2:])


# --- dense <-> RLE --------------------------------------------------------------------------------


def test_run_lengths_are_column_major():
    mask = torch.tensor([[[0, 1], [0, 1], [1, 1]]], dtype=torch.bool)
    counts = {"size": [3, 2], "counts": [2, 4]}  # two pixels of background, four of foreground
    assert encode_masks(mask) == [segmentation_to_rle(counts, (3, 2))]


@given(dense_masks())
def test_encoding_round_trip(masks):
    rles = encode_masks(masks)
    assert len(rles) == len(masks)
    decoded = decode_masks(rles, _size(masks))
    assert decoded.dtype == torch.bool
    assert torch.equal(decoded, masks)
    assert encode_masks(masks.to(torch.uint8)) == rles


@given(dense_masks())
def test_run_lengths_survive_json(masks):
    rles = encode_masks(masks)
    assert torch.equal(decode_masks(json.loads(json.dumps(rles)), _size(masks)), masks)


def test_non_contiguous_masks_are_encoded():
    masks = torch.rand(2, 5, 7) > 0.5
    assert encode_masks(masks.transpose(1, 2)) == encode_masks(masks.transpose(1, 2).contiguous())


def test_zero_masks_need_a_size_to_be_decoded():
    assert decode_masks([], (3, 4)).shape == (0, 3, 4)
    with pytest.raises(ValueError, match=r"size must be \(H, W\) to decode zero masks, got None"):
        decode_masks([])


def test_masks_of_another_size_raise():
    with pytest.raises(ValueError, match="of its image, 4 x 3, got 3 x 4"):
        decode_masks([empty_rle((3, 4))], (4, 3))
    with pytest.raises(ValueError, match=r"shape \(N, H, W\), got \(3, 4\)"):
        encode_masks(torch.zeros(3, 4))


def test_a_mask_of_one_pixel():
    on = torch.ones(1, 1, 1, dtype=torch.bool)
    assert torch.equal(decode_masks(encode_masks(on)), on)
    assert masks_to_boxes_xyxy(on).tolist() == [[0, 0, 1, 1]]


# --- annotations -> RLE ---------------------------------------------------------------------------


def test_a_polygon_covers_its_pixels():
    rle = segmentation_to_rle([[1, 2, 4, 2, 4, 5, 1, 5]], (6, 8))
    expected = torch.zeros(1, 6, 8, dtype=torch.bool)
    expected[0, 2:5, 1:4] = True
    assert torch.equal(decode_masks([rle]), expected)


def test_overlapping_polygons_are_united():
    parts = [[0, 0, 4, 0, 4, 4, 0, 4], [2, 2, 6, 2, 6, 6, 2, 6]]
    assert rle_areas([segmentation_to_rle(parts, (8, 8))]).tolist() == [16 + 16 - 4]


@given(dense_masks(min_masks=1, max_masks=1))
def test_compressed_and_uncompressed_run_lengths_are_read(masks):
    size = _size(masks)
    compressed = encode_masks(masks)[0]
    column_major = masks[0].T.flatten().numpy()
    edges = np.flatnonzero(np.diff(np.r_[False, column_major, False]))
    counts = np.diff(np.r_[0, edges])
    counts = np.r_[counts, column_major.size - counts.sum()].tolist()
    assert segmentation_to_rle(compressed, size) == compressed
    assert torch.equal(
        decode_masks([segmentation_to_rle({"size": list(size), "counts": counts}, size)]), masks
    )


def test_compressed_counts_can_be_bytes():
    rle = empty_rle((2, 3))
    as_bytes = {"size": [2, 3], "counts": rle["counts"].encode()}
    assert segmentation_to_rle(as_bytes, (2, 3)) == rle


def test_no_polygon_is_the_empty_mask():
    assert segmentation_to_rle([], (2, 3)) == empty_rle((2, 3))


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ([[0, 0, 1, 1]], r"at least 3 points.*got 4 numbers: \[0, 0, 1, 1\]"),
        ([[0, 0, 1, 1, 2, 2, 3]], "got 7 numbers"),
        ({"size": [8, 8], "counts": [30, 4]}, r"2 runs of 34 pixels, the image has 64 \(8 x 8\)"),
        ({"size": [8, 8], "counts": [70, -6]}, "must be non-negative .* the shortest -6"),
        ({"size": [8, 8], "counts": "1231"}, "add up to the pixels"),
        ({"size": [8, 8], "counts": "abc"}, "must end with a complete number"),
        ({"size": [8, 8], "counts": ""}, "got 0 runs"),
        ({"size": [4, 4], "counts": [16]}, "of its image, 8 x 8, got 4 x 4"),
    ],
)
def test_invalid_segmentations_raise(segmentation, message):
    with pytest.raises(ValueError, match=message):
        segmentation_to_rle(segmentation, (8, 8))


# --- arithmetic on RLE ----------------------------------------------------------------------------


@given(dense_masks())
def test_areas_boxes_and_unions_agree_with_the_dense_masks(masks):
    rles, size = encode_masks(masks), _size(masks)
    assert rle_areas(rles).tolist() == masks.sum((1, 2)).tolist()
    assert torch.equal(rle_boxes_xyxy(rles), masks_to_boxes_xyxy(masks))
    assert torch.equal(decode_masks([merge_rles(rles, size)])[0], masks.any(0))
    if len(masks):
        common = merge_rles(rles, size, intersect=True)
        assert torch.equal(decode_masks([common])[0], masks.all(0))


@pytest.mark.parametrize("count", [255, 256, 300, 600])
def test_areas_of_many_masks(count):
    # pycocotools keeps the number of masks in 8 bits.
    masks = torch.arange(count).view(-1, 1, 1) % 7 > torch.arange(8).view(1, 1, -1)
    rles = encode_masks(masks)
    assert rle_areas(rles).tolist() == masks.sum((1, 2)).tolist()
    assert torch.equal(rle_boxes_xyxy(rles), masks_to_boxes_xyxy(masks))
    assert rle_iou(rles, rles[:2]).shape == (count, 2)


@given(dense_masks(min_masks=2))
def test_intersection_union_and_iou_agree_with_the_dense_masks(masks):
    rles = encode_masks(masks)
    first, second = masks[0], masks[1]
    counts = int((first & second).sum()), int((first | second).sum())
    assert intersection_and_union(rles[0], rles[1]) == counts
    iou = rle_iou(rles[:1], rles)
    assert iou.shape == (1, len(masks))
    assert iou[0, 1] == pytest.approx(counts[0] / counts[1] if counts[1] else 0.0)


def test_zero_masks():
    some = encode_masks(torch.ones(1, 2, 3, dtype=torch.bool))
    assert encode_masks(torch.zeros(0, 2, 3)) == []
    assert merge_rles([], (2, 3)) == empty_rle((2, 3))
    assert rle_areas([]).shape == (0,)
    assert rle_boxes_xyxy([]).shape == (0, 4)
    assert rle_iou([], some).shape == (0, 1)
    assert rle_iou(some, []).shape == (1, 0)
    assert resize_masks(torch.zeros(0, 2, 3, dtype=torch.bool), (5, 6)).shape == (0, 5, 6)
    assert masks_to_boxes_xyxy(torch.zeros(0, 2, 3, dtype=torch.bool)).shape == (0, 4)


def test_sizes_can_be_lists_or_tuples():
    check_rle_size({"size": (2, 3), "counts": ""}, (2, 3))


# --- dense masks ----------------------------------------------------------------------------------


@given(dense_masks(), st.tuples(st.integers(1, 20), st.integers(1, 20)))
def test_resizing_equals_nearest_neighbor_of_opencv(masks, size):
    resized = resize_masks(masks, size)
    assert resized.shape == (len(masks), *size)
    assert resized.dtype == torch.bool
    for before, after in zip(masks, resized, strict=True):
        expected = cv2.resize(
            before.numpy().astype(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST
        )
        assert np.array_equal(after.numpy(), expected.astype(bool))


@given(dense_masks(), st.integers(1, 4), st.integers(1, 4))
def test_upsampling_by_integer_factors_repeats_pixels(masks, fy, fx):
    height, width = _size(masks)
    enlarged = resize_masks(masks, (height * fy, width * fx))
    assert torch.equal(enlarged, masks.repeat_interleave(fy, 1).repeat_interleave(fx, 2))


@given(dense_masks())
def test_boxes_are_tight_around_their_masks(masks):
    for mask, box in zip(masks, masks_to_boxes_xyxy(masks), strict=True):
        rows, columns = mask.nonzero(as_tuple=True)
        if len(rows) == 0:
            assert box.tolist() == [0, 0, 0, 0]
            continue
        expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert box.tolist() == [int(value) for value in expected]


def test_logits_are_resized_bilinearly():
    logits = torch.tensor([[[[0.0, 2.0]]]])
    assert resize_mask_logits(logits, (1, 3), align_corners=True).tolist() == [[[[0, 1, 2]]]]
    assert resize_mask_logits(logits, (1, 2), align_corners=False) is logits
