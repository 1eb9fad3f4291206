import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision import tv_tensors

from vgtoolbox.datasets.transforms import (
    CenterCrop,
    LargeScaleJitter,
    LoadImage,
    LoadTargets,
    Pad,
    RandomHorizontalFlip,
    RandomTargetCrop,
)
from vgtoolbox.datasets.transforms.cropping import draw_start


def _sample(height, width, boxes_xywh, seed=0):
    """Return a sample of a black image with a white rectangle per target."""
    image = np.zeros((height, width, 3), np.uint8)
    targets = []
    for x, y, w, h in boxes_xywh:
        image[y : y + h, x : x + w] = 255
        polygon = [x, y, x + w, y, x + w, y + h, x, y + h]
        targets.append({"bbox": [x, y, w, h], "segmentation": [polygon], "ann_id": 1})
    record = {"image": image, "targets": targets, "rng": np.random.default_rng(seed)}
    return LoadTargets()(LoadImage()(record))


def _areas(results):
    boxes = results["boxes"].as_subclass(torch.Tensor)
    return ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).tolist()


@st.composite
def samples(draw):
    height, width = draw(st.integers(8, 60)), draw(st.integers(8, 60))
    boxes = []
    for _ in range(draw(st.integers(0, 3))):
        x, y = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
        boxes.append((x, y, draw(st.integers(1, width - x)), draw(st.integers(1, height - y))))
    return _sample(height, width, boxes, draw(st.integers(0, 99)))


@given(samples(), st.integers(1, 30), st.integers(0, 30))
def test_corrected_crop_keeps_every_target_complete(results, least, more):
    before, old = _areas(results), results["ori_shape"]
    cropped = RandomTargetCrop((least, least + more))(results)
    height, width = cropped["image"].shape[-2:]
    assert _areas(cropped) == before
    assert cropped["masks"].shape[1:] == (height, width)
    assert torch.equal(
        cropped["image"][0].as_subclass(torch.Tensor) > 0,
        cropped["masks"].as_subclass(torch.Tensor).any(0),
    )
    if (height, width) != old:
        assert min(old[0], least) <= height <= least + more
        assert min(old[1], least) <= width <= least + more
        assert cropped["img_shape"] == (height, width)


@given(samples(), st.integers(0, 30))
def test_offset_of_a_crop_maps_boxes_back(results, least):
    before = results["boxes"].as_subclass(torch.Tensor).clone()
    cropped = RandomTargetCrop((least + 1, 40))(results)
    moved = cropped["boxes"].as_subclass(torch.Tensor)
    offset = torch.tensor(cropped.get("offset", (0.0, 0.0)) * 2)
    assert torch.equal(moved - offset, before)


def test_every_window_that_contains_the_target_is_drawn():
    starts = set()
    for seed in range(200):
        cropped = RandomTargetCrop((6, 6))(_sample(10, 10, [(4, 4, 2, 2)], seed))
        starts.add(cropped["offset"])
    assert starts == {(-float(x), -float(y)) for x in range(5) for y in range(5)}


def test_image_is_unchanged_if_the_targets_do_not_fit():
    results = _sample(20, 20, [(0, 0, 2, 2), (15, 15, 5, 5)])
    cropped = RandomTargetCrop((8, 12))(results)
    assert cropped["image"].shape == (3, 20, 20)
    assert "offset" not in cropped


def test_published_crop_compares_the_wrong_axes():
    # The center (x, y) = (35, 5) is right of every left edge and below no top edge; as published,
    # 35 is compared with the top and 5 with the left.
    lefts, lost = set(), 0
    for seed in range(60):
        results = _sample(40, 40, [(34, 4, 2, 2)], seed)
        cropped = RandomTargetCrop((20, 20), acceptance="published")(results)
        lefts.add(int(-cropped["offset"][0]))
        lost += _areas(cropped) == [0]
    assert max(lefts) == 4
    assert lost == 60  # the window ends at 24 at the latest


def test_published_crop_gives_up_after_max_tries():
    results = _sample(40, 40, [(0, 0, 1, 1)])
    cropped = RandomTargetCrop((20, 20), acceptance="published", max_tries=0)(results)
    assert cropped["image"].shape == (3, 40, 40)


def test_any_window_is_allowed_without_targets():
    for acceptance in ("corrected", "published"):
        cropped = RandomTargetCrop((5, 5), acceptance=acceptance)(_sample(9, 9, []))
        assert cropped["image"].shape == (3, 5, 5)
        assert cropped["boxes"].shape == (0, 4)
        assert cropped["masks"].shape == (0, 5, 5)


@given(
    st.integers(1, 30), st.integers(1, 30), st.integers(0, 30), st.integers(0, 30), st.integers()
)
def test_window_contains_the_interval_or_is_inside_it(length, window, first, last, seed):
    window = min(window, length)
    first, last = sorted((min(first, length), min(last, length)))
    start = draw_start(np.random.default_rng(abs(seed)), length, window, (first, last))
    assert 0 <= start <= length - window
    if first < last:
        inside = start <= first and last <= start + window
        within = first <= start and start + window <= last
        assert inside or within


def test_center_crop_keeps_the_center():
    results = _sample(9, 12, [(4, 3, 2, 2)])
    cropped = CenterCrop((5, 6))(results)
    assert cropped["image"].shape == (3, 5, 6)
    assert cropped["boxes"].tolist() == [[1, 1, 3, 3]]
    assert CenterCrop(20)(_sample(9, 12, []))["image"].shape == (3, 9, 12)


@given(samples(), st.integers(4, 40), st.sampled_from(["cv2", "torchvision", "pil"]))
def test_large_scale_jitter_fills_its_frame(results, side, backend):
    jitter = LargeScaleJitter(side, scale=(0.5, 2.0), backend=backend, pad_value=3)
    boxes = results["boxes"].as_subclass(torch.Tensor).clone()
    jittered = jitter(results)
    assert jittered["image"].shape == (3, side, side)
    assert jittered["masks"].shape == (len(boxes), side, side)
    height, width = jittered["img_shape"]
    assert (jittered["image"][:, height:] == 3).all()
    assert (jittered["image"][:, :, width:] == 3).all()
    factor = torch.tensor(jittered["scale_factor"] * 2)
    expected = boxes * factor + torch.tensor(jittered.get("offset", (0.0, 0.0)) * 2)
    limits = torch.tensor([width, height] * 2)
    torch.testing.assert_close(
        jittered["boxes"].as_subclass(torch.Tensor), expected.clamp(min=0).minimum(limits)
    )


def test_large_scale_jitter_keeps_a_small_target_in_view():
    for seed in range(30):
        jittered = LargeScaleJitter(32, scale=(0.5, 2.0))(_sample(32, 32, [(25, 3, 6, 6)], seed))
        factor = jittered["scale_factor"]
        # The edges are rounded outwards to whole pixels before a window is drawn.
        assert _areas(jittered)[0] == pytest.approx(36 * factor[0] * factor[1], rel=1e-4)


def test_offset_of_a_mirrored_image_refers_to_the_unmirrored_one():
    """Cropping a mirrored image equals mirroring an image cropped on the other side."""
    flip = RandomHorizontalFlip(prob=1.0)
    results = CenterCrop((9, 6))(flip(_sample(9, 11, [(1, 2, 3, 3)])))  # 2 px left, 3 px right
    assert results["offset"] == (-3.0, 0.0)
    x1, _, x2, _ = (torch.tensor([[1.0, 2, 4, 5]]) + torch.tensor([-3.0, 0, -3, 0]))[0].tolist()
    mirrored = [6 - x2, 6 - x1]
    assert results["boxes"][0, ::2].tolist() == [min(6, max(0, x)) for x in mirrored]


def test_padding_does_not_move_coordinates():
    results = _sample(5, 7, [(1, 1, 2, 2)])
    padded = Pad((8, 9), value=4)(results)
    assert padded["image"].shape == (3, 8, 9)
    assert padded["boxes"].tolist() == [[1, 1, 3, 3]]
    assert padded["boxes"].canvas_size == (8, 9)
    assert padded["img_shape"] == (5, 7)
    assert not padded["masks"][:, 5:].any()
    assert (padded["image"][:, 5:] == 4).all()


def test_padding_to_a_smaller_size_raises():
    image = tv_tensors.Image(torch.zeros(3, 9, 9))
    with pytest.raises(ValueError, match=r"at most 8 x 8 .*, got 9 x 9; put a ResizeSide"):
        Pad(8)({"image": image})


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: RandomTargetCrop((9, 8)), "minimum and maximum"),
        (lambda: RandomTargetCrop(acceptance="fixed"), "acceptance must be 'published' or"),
        (lambda: LargeScaleJitter(8, scale=(0, 1)), "positive factors"),
        (lambda: LargeScaleJitter(8, backend="mmcv"), "backend must be"),
    ],
)
def test_arguments_are_checked(build, message):
    with pytest.raises(ValueError, match=message):
        build()
