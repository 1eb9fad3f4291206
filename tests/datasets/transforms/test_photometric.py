import numpy as np
import pytest
import torch
from torchvision import tv_tensors

from vgtoolbox.datasets.transforms import ColorJitter, GaussianBlur, RandomJPEG


def _image():
    values = torch.arange(3 * 6 * 8, dtype=torch.uint8).reshape(3, 6, 8)
    return tv_tensors.Image(values)


def test_backends_differ_slightly():
    for name in ("brightness", "contrast", "saturation"):
        ours = [_jitter(0, backend=b, **{name: 0.4}).int() for b in ("torchvision", "pil")]
        assert (ours[0] - ours[1]).abs().max() <= 2


@pytest.mark.parametrize("backend", ["torchvision", "pil"])
def test_blur_spreads_a_point_and_keeps_its_sum(backend):
    pixels = torch.zeros(3, 31, 31, dtype=torch.uint8)
    pixels[:, 15, 15] = 255
    results = {"image": tv_tensors.Image(pixels), "rng": np.random.default_rng(0)}
    blurred = GaussianBlur((1.5, 1.5), backend=backend)(results)["image"].float()
    assert blurred.max() < 40
    assert blurred[0].sum() == pytest.approx(255, rel=0.15)
    assert (blurred[0, 15] - blurred[0, 15].flip(0)).abs().max() <= 1


@pytest.mark.parametrize("backend", ["torchvision", "pil"])
def test_uniform_image_is_unchanged_by_blur_and_compression(backend):
    for size in ((1, 1), (2, 9), (40, 40)):
        image = tv_tensors.Image(torch.full((3, *size), 90, dtype=torch.uint8))
        results = {"image": image, "rng": np.random.default_rng(0)}
        blurred = RandomJPEG()(GaussianBlur(backend=backend)(results))["image"]
        assert blurred.shape == image.shape
        assert blurred.dtype == torch.uint8
        assert (blurred.int() - 90).abs().max() <= 2


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: GaussianBlur((0, 1)), "radius must be a range of positive numbers"),
        (lambda: GaussianBlur(backend="cv2"), "backend must be 'torchvision' or 'pil'"),
        (lambda: ColorJitter(backend="cv2"), "backend must be 'torchvision' or 'pil'"),
        (lambda: RandomJPEG((0, 50)), r"quality must be a range within 1\.\.100"),
    ],
)
def test_arguments_are_checked(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def _jitter(seed, **strengths):
    results = {"image": _image(), "rng": np.random.default_rng(seed)}
    return ColorJitter(**strengths)(results)["image"]


ALL = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}


def test_jitter_depends_only_on_the_generator_of_the_sample():
    torch.manual_seed(0)
    first = _jitter(3, **ALL)
    torch.manual_seed(1)
    assert torch.equal(_jitter(3, **ALL), first)
    assert not torch.equal(_jitter(4, **ALL), first)


def test_jitter_without_strength_changes_nothing():
    assert torch.equal(_jitter(0), _image())


@pytest.mark.parametrize("name", ALL)
def test_each_strength_changes_the_image_and_keeps_its_type(name):
    changed = _jitter(0, **{name: ALL[name]})
    assert changed.shape == (3, 6, 8)
    assert changed.dtype == torch.uint8
    assert not torch.equal(changed, _image())


def test_brightness_factor_is_within_its_range():
    image = tv_tensors.Image(torch.full((3, 2, 2), 100, dtype=torch.uint8))
    values = [
        int(
            ColorJitter(brightness=0.2)({"image": image, "rng": np.random.default_rng(s)})["image"][
                0, 0, 0
            ]
        )
        for s in range(100)
    ]
    assert min(values) >= 79
    assert max(values) <= 120
    assert max(values) - min(values) > 20


@pytest.mark.parametrize("strengths", [{"brightness": -0.1}, {"hue": 0.6}])
def test_strengths_are_checked(strengths):
    with pytest.raises(ValueError, match="brightness, contrast and saturation must"):
        ColorJitter(**strengths)
