import numpy as np
import pytest
import torch
from torchvision import tv_tensors

from vgtoolbox.datasets.transforms import AddView, PackGroundingInputs, RandomApply


def _darken(results):
    results["image"] = tv_tensors.Image(results["image"] // 2)
    return results


def _sample(seed=0, expression="a dog"):
    image = tv_tensors.Image(torch.full((3, 8, 12), 100, dtype=torch.uint8))
    return {"image": image, "rng": np.random.default_rng(seed), "expression": expression}


def _is_dark(results):
    return bool((results["image"] == 50).all())


@pytest.mark.parametrize(("prob", "expected"), [(0.0, 0), (1.0, 200), (0.3, 60)])
def test_steps_run_with_the_given_probability(prob, expected):
    step = RandomApply([_darken], prob=prob)
    assert abs(sum(_is_dark(step(_sample(seed))) for seed in range(200)) - expected) <= 20


@pytest.mark.parametrize(
    ("expression", "corrected", "published"),
    [
        ("a dog", False, False),
        ("the left dog", True, True),
        ("leftmost dog", True, True),
        ("in the middle", True, True),
        ("center cup", True, False),
        ("the laptop that is bright", False, True),
        ("a stop sign", False, True),
    ],
)
def test_samples_that_name_a_position_are_skipped(expression, corrected, published):
    for rule, spared in (("corrected", corrected), ("published", published), (None, False)):
        step = RandomApply([_darken], prob=1.0, spare_positions=rule)
        assert _is_dark(step(_sample(expression=expression))) is not spared


def test_steps_are_built_from_the_registry():
    step = RandomApply([{"type": "Resize", "size": 4}, _darken], prob=1.0)
    results = step(_sample())
    assert results["image"].shape == (3, 4, 4)
    assert _is_dark(results)


def test_view_is_a_second_image():
    results = AddView("clip_image", [{"type": "Resize", "size": (6, 5)}, _darken])(_sample())
    assert results["clip_image"].shape == (3, 6, 5)
    assert results["image"].shape == (3, 8, 12)
    assert "scale_factor" not in results
    packed = PackGroundingInputs(views=["clip_image"])({**results, "ori_shape": (8, 12)})
    view = packed["inputs"]["views"]["clip_image"]
    assert view.shape == (3, 6, 5)
    assert type(view) is torch.Tensor
    assert packed["data_samples"].view_shapes == {"clip_image": (6, 5)}


def test_view_must_have_a_new_key():
    with pytest.raises(ValueError, match="got the existing 'expression'"):
        AddView("expression", [])(_sample())


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"prob": 2.0}, r"prob must be between 0 and 1"),
        ({"spare_positions": "all"}, "spare_positions must be 'published' or 'corrected'"),
    ],
)
def test_arguments_are_checked(kwargs, message):
    with pytest.raises(ValueError, match=message):
        RandomApply([], **kwargs)
