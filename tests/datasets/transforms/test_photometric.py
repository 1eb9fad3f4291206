import numpy as np
import pytest
import torch
from torchvision import tv_tensors

from vgtoolbox.datasets import ColorJitter


def _image():
    values = torch.arange(3 * 6 * 8, dtype=torch.uint8).reshape(3, 6, 8)
    return tv_tensors.Image(values)


def _jitter(seed, **strengths):
    results = {"image": _image(), "rng": np.random.default_rng(seed)}
    return ColorJitter(**strengths)(results)["image"]


ALL = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}


def test_it_draws_from_the_samples_generator_alone():
    torch.manual_seed(0)
    first = _jitter(3, **ALL)
    torch.manual_seed(1)
    assert torch.equal(_jitter(3, **ALL), first)
    assert not torch.equal(_jitter(4, **ALL), first)


def test_without_strength_nothing_changes():
    assert torch.equal(_jitter(0), _image())


@pytest.mark.parametrize("name", ALL)
def test_each_strength_changes_the_image_and_keeps_its_kind(name):
    changed = _jitter(0, **{name: ALL[name]})
    assert changed.shape == (3, 6, 8)
    assert changed.dtype == torch.uint8
    assert not torch.equal(changed, _image())


def test_brightness_stays_within_its_range():
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
    with pytest.raises(ValueError, match="expected brightness"):
        ColorJitter(**strengths)
