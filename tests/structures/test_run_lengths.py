import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vgtoolbox.structures import decode_masks_resized, encode_masks, resize_masks
from vgtoolbox.structures.run_lengths import (
    canonical_runs,
    decode_runs_resized,
    nearest_sources,
    unpack_runs,
)

SIDES = st.integers(1, 30)


@st.composite
def masks(draw):
    """Draw 0 to 3 random masks of any density from empty to full."""
    size = (draw(st.integers(0, 3)), draw(SIDES), draw(SIDES))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    return torch.rand(size, generator=generator) < draw(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]))


@given(masks())
def test_runs_alternate_and_add_up(planes):
    for plane, rle in zip(planes, encode_masks(planes), strict=True):
        runs = unpack_runs(rle["counts"])
        pixels = np.repeat(np.arange(len(runs)) & 1, runs)
        assert np.array_equal(pixels, plane.T.reshape(-1).numpy())


def test_runs_by_hand():
    # 1 background, 40 foreground, 3 background, then 42 = 40 + 2.
    assert unpack_runs("1X132").tolist() == [1, 40, 3, 42]
    assert unpack_runs(b"1X132").tolist() == [1, 40, 3, 42]
    assert unpack_runs("").tolist() == []


@pytest.mark.parametrize("counts", ["1X", "X", "1X1X"])
def test_an_incomplete_number_raises(counts):
    with pytest.raises(ValueError, match="must end with a complete number"):
        unpack_runs(counts)


@pytest.mark.parametrize("counts", ["1/", "1p", "1 2", "1é", "1\udc80", "1\0", b"1\xff", "日本"])
def test_foreign_characters_raise(counts):
    with pytest.raises(ValueError, match='must have characters "0" to "o" only'):
        unpack_runs(counts)


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([3, 4], [3, 4]),
        ([0, 4], [0, 4]),
        ([0, 0, 4], [4]),
        ([2, 0, 3, 4], [5, 4]),
        ([0, 2, 0, 2], [0, 4]),
        ([0, 0, 0, 5, 0], [0, 5]),
        ([], []),
    ],
)
def test_empty_runs_are_merged(runs, expected):
    assert canonical_runs(np.array(runs, np.int64)).tolist() == expected


def test_a_number_with_too_many_characters_raises():
    with pytest.raises(ValueError, match="at most 6 characters, got 31"):
        unpack_runs("X" * 30 + "1")
    assert unpack_runs("PPPPP0").tolist() == [0]
    assert unpack_runs("ooooo?").tolist() == [2**29 - 1]


@settings(max_examples=200)
@given(masks(), SIDES, SIDES)
def test_decoding_at_another_size_equals_decoding_and_resizing(planes, height, width):
    size = (planes.shape[1], planes.shape[2])
    resized = decode_masks_resized(encode_masks(planes), size, (height, width))
    assert resized.dtype == torch.bool
    assert torch.equal(resized, resize_masks(planes, (height, width)))


@pytest.mark.parametrize("new_size", [(320, 320), (96, 96), (448, 448), (700, 1000), (480, 640)])
@pytest.mark.parametrize("size", [(480, 640), (640, 427), (333, 500)])
def test_large_masks_are_resized_as_by_opencv(size, new_size):
    mask = np.zeros(size, np.uint8)
    cv2.ellipse(mask, (size[1] // 2, size[0] // 3), (90, 140), 30, 0, 360, 1, -1)
    cv2.line(mask, (0, 0), (size[1] - 1, size[0] - 1), 1, 2)
    rle = encode_masks(torch.from_numpy(mask)[None])[0]
    expected = cv2.resize(mask, new_size[::-1], interpolation=cv2.INTER_NEAREST)
    assert np.array_equal(decode_runs_resized(unpack_runs(rle["counts"]), size, new_size), expected)


def test_masks_of_another_size_raise():
    rles = encode_masks(torch.ones(1, 4, 5))
    with pytest.raises(ValueError, match="of its image, 5 x 4, got 4 x 5"):
        decode_masks_resized(rles, (5, 4), (2, 2))


@given(SIDES, SIDES)
def test_source_pixels_are_increasing_and_near_their_position(length, new_length):
    sources = nearest_sources(length, new_length)
    assert np.abs(sources - np.arange(new_length) * length / new_length).max() <= 1
    assert (np.diff(sources) >= 0).all()
