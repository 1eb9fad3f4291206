import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vgtoolbox.datasets.transforms.resampling import (
    resize_image,
    resize_target_masks,
    scaled_size,
)

SIDES = st.integers(1, 60)
BACKENDS = ("cv2", "torchvision", "pil", "align_corners")


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [("even", (2, 4)), ("half_up", (3, 4)), ("down", (2, 4))],
)
def test_halves_are_rounded_as_published(rounding, expected):
    # 5 x 8 with the long side at 4: the other side is 2.5.
    assert scaled_size((5, 8), 4, side="long", rounding=rounding) == expected


def test_short_side_is_scaled():
    assert scaled_size((480, 640), 400, side="short", rounding="even") == (400, 533)
    assert scaled_size((480, 640), 224, side="short", rounding="down") == (224, 298)


@given(SIDES, SIDES, st.integers(1, 100), st.sampled_from(["even", "half_up", "down"]))
def test_one_side_is_exact_and_the_other_is_close(height, width, goal, rounding):
    for side, choose in (("long", max), ("short", min)):
        scaled = scaled_size((height, width), goal, side=side, rounding=rounding)
        scale = goal / choose(height, width)
        assert choose(scaled) == goal
        assert abs(scaled[0] - height * scale) <= 1
        assert abs(scaled[1] - width * scale) <= 1


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(1, 2), (7, 5), (40, 9)])
def test_uniform_image_stays_uniform(backend, interpolation, size):
    image = torch.full((3, 12, 10), 77, dtype=torch.uint8)
    resized = resize_image(image, size, backend=backend, interpolation=interpolation)
    assert resized.shape == (3, *size)
    assert resized.dtype == (torch.float32 if backend == "align_corners" else torch.uint8)
    assert torch.allclose(resized.float(), torch.tensor(77.0))


@pytest.mark.parametrize("backend", BACKENDS)
@given(height=SIDES, width=SIDES, new_height=SIDES, new_width=SIDES, count=st.integers(0, 3))
def test_masks_keep_number_and_type(backend, height, width, new_height, new_width, count):
    generator = torch.Generator().manual_seed(height * width)
    masks = torch.rand(count, height, width, generator=generator) > 0.5
    resized = resize_target_masks(masks, (new_height, new_width), backend)
    assert resized.shape == (count, new_height, new_width)
    assert resized.dtype == torch.bool
    full = resize_target_masks(torch.ones_like(masks), (new_height, new_width), backend)
    assert full.all()
    if (height, width) == (new_height, new_width):
        assert torch.equal(resized, masks)


def test_pillow_masks_are_thresholded_at_one_half():
    mask = torch.zeros(1, 2, 8, dtype=torch.bool)
    mask[0, :, :3] = True
    resized = resize_target_masks(mask, (1, 4), "pil")
    gray = Image.fromarray(mask[0].numpy().astype(np.uint8) * 255).resize((4, 1), Image.BILINEAR)
    assert resized[0].tolist() == (np.asarray(gray) > 127).tolist()
    assert resized[0, 0].tolist() == [True, True, False, False]


def test_align_corners_keeps_the_corner_pixels():
    image = torch.randint(0, 256, (3, 5, 7), dtype=torch.uint8)
    resized = resize_image(image, (9, 20), backend="align_corners", interpolation="bilinear")
    assert torch.equal(resized[:, ::8, ::19], image[:, ::4, ::6].float())
