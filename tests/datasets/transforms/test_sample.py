import pytest
import torch

from vgtoolbox.datasets.transforms.sample import (
    check_variant,
    decode_targets,
    describe_sample,
    plain_boxes,
    record_cropping,
    record_scaling,
    set_boxes,
)
from vgtoolbox.structures import encode_masks
from vgtoolbox.utils.deprecation import update_config


def test_sample_is_described_by_id_and_path():
    assert describe_sample({"sample_id": "5_9", "img_path": "a.jpg"}) == "sample 5_9, image a.jpg"
    assert describe_sample({}) == "a sample without id and path"


def test_sample_without_targets_has_no_boxes():
    assert plain_boxes({}).shape == (0, 4)


def test_boxes_are_stored_with_their_frame():
    results = {}
    set_boxes(results, torch.tensor([[1.0, 2, 3, 4]]), (8, 9))
    assert results["boxes"].canvas_size == (8, 9)
    assert type(plain_boxes(results)) is torch.Tensor


def test_run_lengths_are_decoded_into_masks():
    mask = torch.zeros(1, 3, 4, dtype=torch.bool)
    mask[0, 1:, 1] = True
    results = {"image": torch.zeros(3, 3, 4), "rles": encode_masks(mask)}
    decode_targets(results)
    assert "rles" not in results
    assert torch.equal(results["masks"].as_subclass(torch.Tensor).bool(), mask)


def test_scaling_and_cropping_add_up():
    results = {"image": torch.zeros(3, 4, 5)}
    record_cropping(results, (2, 1), 10)
    record_scaling(results, (2.0, 3.0))
    assert results["scale_factor"] == (2.0, 3.0)
    assert results["offset"] == (-4.0, -3.0)


def test_variant_is_checked():
    check_variant("word_swap", "corrected")
    with pytest.raises(ValueError, match="word_swap must be 'published' or 'corrected', got 'x'"):
        check_variant("word_swap", "x")


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("RandomApply", "spare_positions"),
        ("RandomHorizontalFlip", "word_swap"),
        ("RandomTargetCrop", "acceptance"),
    ],
)
def test_earlier_name_of_the_corrected_variant_still_works(name, option):
    config = {"steps": [{"type": name, option: "clean"}]}
    with pytest.warns(DeprecationWarning, match="corrected"):
        update_config(config)
    assert config == {"steps": [{"type": name, option: "corrected"}]}
