import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision import tv_tensors

from vgtoolbox.datasets.transforms import (
    LoadImage,
    LoadTargets,
    RandomHorizontalFlip,
    Resize,
    ResizeSide,
)
from vgtoolbox.datasets.transforms.resampling import resize_target_masks
from vgtoolbox.structures import masks_to_boxes_xyxy


@st.composite
def samples(draw, min_side=1, max_side=40):
    """Draw a sample with 0 to 3 rectangles, each painted white into the image."""
    height = draw(st.integers(min_side, max_side))
    width = draw(st.integers(min_side, max_side))
    image = np.zeros((height, width, 3), np.uint8)
    targets = []
    for _ in range(draw(st.integers(0, 3))):
        x, y = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
        w, h = draw(st.integers(1, width - x)), draw(st.integers(1, height - y))
        image[y : y + h, x : x + w] = 255
        polygon = [x, y, x + w, y, x + w, y + h, x, y + h]
        targets.append({"bbox": [x, y, w, h], "segmentation": [polygon], "ann_id": 1})
    return LoadTargets()(LoadImage()({"image": image, "targets": targets}))


def _plain(results, key):
    return results[key].as_subclass(torch.Tensor).clone()


def _flip(results):
    return RandomHorizontalFlip(prob=1.0)({**results, "rng": np.random.default_rng(0)})


@given(samples())
def test_image_boxes_and_masks_are_flipped_together(results):
    width = results["image"].shape[-1]
    flipped = _flip(results)
    assert torch.equal(_plain(flipped, "image"), _plain(results, "image").flip(-1))
    assert torch.equal(_plain(flipped, "masks"), _plain(results, "masks").flip(-1))
    x1, y1, x2, y2 = _plain(results, "boxes").unbind(1)
    assert torch.equal(_plain(flipped, "boxes"), torch.stack([width - x2, y1, width - x1, y2], 1))
    assert torch.equal(masks_to_boxes_xyxy(_plain(flipped, "masks")), _plain(flipped, "boxes"))
    union = _plain(flipped, "masks").any(0)
    assert torch.equal(_plain(flipped, "image")[0] > 0, union)


@given(samples(), st.sampled_from(["the left dog", "right", "no side", "LEFT-most Right hand"]))
def test_flipping_twice_restores_the_sample(results, expression):
    before = {**results, "expression": expression}
    after = _flip(_flip(before))
    for key in ("image", "boxes", "masks"):
        assert torch.equal(_plain(after, key), _plain(before, key))
    assert after["expression"] == expression
    assert after["flip"] is False


def test_flip_swaps_words():
    results = _flip(
        {"image": tv_tensors.Image(torch.zeros(3, 2, 2)), "expression": "left of the bright one"}
    )
    assert results["expression"] == "right of the bright one"
    assert results["flip"] is True


def test_published_flip_swaps_letters():
    image = tv_tensors.Image(torch.zeros(3, 2, 2))
    results = {
        "image": image,
        "expression": "left of the bright one",
        "rng": np.random.default_rng(0),
    }
    flipped = RandomHorizontalFlip(prob=1.0, word_swap="published")(results)
    assert flipped["expression"] == "right of the bleft one"


@pytest.mark.parametrize(("prob", "expected"), [(0.0, 0), (1.0, 200), (0.3, 60)])
def test_samples_are_flipped_with_the_given_probability(prob, expected):
    rng = np.random.default_rng(0)
    flip = RandomHorizontalFlip(prob=prob)
    image = tv_tensors.Image(torch.zeros(3, 1, 1))
    flips = sum("flip" in flip({"image": image, "rng": rng}) for _ in range(200))
    assert abs(flips - expected) <= 20


def test_probability_is_checked():
    with pytest.raises(ValueError, match=r"prob must be between 0 and 1"):
        RandomHorizontalFlip(prob=1.5)


# --- resize ---------------------------------------------------------------------------------------


def test_resized_image_equals_opencv():
    pixels = np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)
    results = Resize(32)(LoadImage()({"image": pixels.copy()}))
    expected = cv2.resize(pixels, (32, 32), interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(results["image"].permute(1, 2, 0).numpy(), expected)


def test_flipping_and_resizing_commute():
    pixels = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)
    resize = Resize((8, 12))
    one = resize(_flip(LoadImage()({"image": pixels})))["image"]
    other = _flip(resize(LoadImage()({"image": pixels})))["image"]
    assert torch.equal(one, other)


@settings(max_examples=50)
@given(
    results=samples(),
    size=st.tuples(st.integers(1, 50), st.integers(1, 50)),
    keep_ratio=st.booleans(),
    backend=st.sampled_from(["cv2", "torchvision", "pil"]),
)
def test_boxes_and_masks_follow_the_image(results, size, keep_ratio, backend):
    height, width = results["ori_shape"]
    boxes = _plain(results, "boxes")
    resized = Resize(size, backend=backend, keep_ratio=keep_ratio)(dict(results))
    sx, sy = resized["scale_factor"]
    assert resized["image"].shape == (3, *size)
    assert resized["image"].dtype == torch.uint8
    assert resized["masks"].shape == (len(boxes), *size)
    assert resized["boxes"].canvas_size == size
    torch.testing.assert_close(_plain(resized, "boxes"), boxes * torch.tensor([sx, sy, sx, sy]))
    content = round(height * sy), round(width * sx)
    assert resized["img_shape"] == content
    if keep_ratio:
        assert content[0] == size[0] or content[1] == size[1]
        assert content[0] <= size[0]
        assert content[1] <= size[1]
    else:
        assert (sy, sx) == (size[0] / height, size[1] / width)
    # Nearest neighbor moves an edge by a pixel at most.
    for mask, box in zip(_plain(resized, "masks"), _plain(resized, "boxes"), strict=True):
        if mask.any():
            assert (masks_to_boxes_xyxy(mask[None])[0] - box).abs().max() <= 1.0 + 1e-4


@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize("backend", ["cv2", "torchvision", "pil", "align_corners"])
@pytest.mark.parametrize("keep_ratio", [False, True])
def test_masks_from_run_lengths_are_equal(dense, backend, keep_ratio):
    """Masks decoded before resizing equal masks decoded while resizing."""
    star = [3.2, 40.1, 30.5, 33.3, 44.4, 2.2, 50.9, 37.7, 77.7, 44.1, 52.3, 51.8, 41.0, 59.9]
    targets = [{"bbox": [3, 2, 74, 57], "segmentation": [star], "ann_id": 1}] * 2
    image = np.zeros((60, 80, 3), np.uint8)
    loaded = LoadTargets(dense=dense)(LoadImage()({"image": image, "targets": targets}))
    masks = _plain(Resize((33, 49), backend=backend, keep_ratio=keep_ratio)(loaded), "masks")
    early = LoadTargets()(LoadImage()({"image": image, "targets": targets}))
    content = (33, 49) if not keep_ratio else (33, 44)
    expected = resize_target_masks(early["masks"], content, backend)
    assert torch.equal(masks[:, :33, : content[1]], expected)
    assert not masks[:, :, content[1] :].any()


def test_keep_ratio_pads_at_bottom_and_right():
    image = np.full((10, 20, 3), 9, np.uint8)
    targets = [{"bbox": [0, 0, 20, 10], "segmentation": [[0, 0, 20, 0, 20, 10, 0, 10]]}]
    loaded = LoadTargets()(LoadImage()({"image": image, "targets": targets}))
    results = Resize(40, keep_ratio=True, pad_value=5)(loaded)
    assert results["scale_factor"] == (2.0, 2.0)
    assert results["img_shape"] == (20, 40)
    assert (results["image"][:, :20] == 9).all()
    assert (results["image"][:, 20:] == 5).all()
    assert results["masks"][0, :20].all()
    assert not results["masks"][0, 20:].any()
    assert results["boxes"].tolist() == [[0, 0, 40, 20]]


def test_factors_of_two_resizes_multiply():
    results = LoadImage()({"image": np.zeros((10, 20, 3), np.uint8)})
    results = Resize((5, 5))(Resize((20, 10))(results))
    assert results["scale_factor"] == (0.25, 0.5)


@pytest.mark.parametrize(("side", "choose"), [("long", max), ("short", min)])
def test_each_size_of_a_side_is_drawn(side, choose):
    resize = ResizeSide([16, 24, 32], side=side)
    image = np.zeros((10, 20, 3), np.uint8)
    drawn = set()
    for seed in range(40):
        results = resize(LoadImage()({"image": image, "rng": np.random.default_rng(seed)}))
        drawn.add(choose(results["image"].shape[-2:]))
        assert results["img_shape"] == tuple(results["image"].shape[-2:])
    assert drawn == {16, 24, 32}


def test_single_size_of_a_side_needs_no_generator():
    results = ResizeSide(8)(LoadImage()({"image": np.zeros((10, 20, 3), np.uint8)}))
    assert results["image"].shape == (3, 4, 8)
    assert results["scale_factor"] == (0.4, 0.4)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"size": []}, "size must be positive"),
        ({"size": 4, "side": "width"}, "side must be 'long' or 'short'"),
        ({"size": 4, "rounding": "up"}, "rounding must be"),
    ],
)
def test_arguments_of_a_side_are_checked(kwargs, message):
    with pytest.raises(ValueError, match=message):
        ResizeSide(**kwargs)


@pytest.mark.parametrize("backend", ["cv2", "torchvision", "pil", "align_corners"])
def test_single_pixel_is_stretched(backend):
    results = LoadImage()({"image": np.full((1, 1, 3), 200, np.uint8)})
    assert (Resize(4, backend=backend)(results)["image"] == 200).all()


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"size": 0}, "size must be positive"),
        ({"size": (4, -1)}, "size must be positive"),
        ({"size": 4, "backend": "mmcv"}, "'cv2', 'torchvision', .*, got 'mmcv'"),
        ({"size": 4, "interpolation": "area"}, "'bilinear' or 'bicubic', got 'area'"),
    ],
)
def test_arguments_are_checked(kwargs, message):
    with pytest.raises(ValueError, match=message):
        Resize(**kwargs)
