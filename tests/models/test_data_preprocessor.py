import pytest
import torch

from vgtoolbox.models.data_preprocessor import GroundingDataPreprocessor
from vgtoolbox.registry import MODELS
from vgtoolbox.structures import GroundingDataSample

MEAN, STD = (100.0, 110.0, 120.0), (10.0, 20.0, 40.0)


def _batch():
    return {
        "inputs": {
            "images": torch.full((2, 3, 4, 5), 130, dtype=torch.uint8),
            "token_ids": torch.tensor([[0, 5, 2]] * 2),
            "text_padding_mask": torch.zeros(2, 3, dtype=torch.bool),
        },
        "data_samples": [GroundingDataSample(), GroundingDataSample()],
    }


def test_images_are_normalized_per_channel():
    batch = _batch()
    prepared = GroundingDataPreprocessor(mean=MEAN, std=STD)(batch, training=True)
    images = prepared["inputs"]["images"]
    assert images.dtype == torch.float32
    for channel, expected in enumerate([3.0, 1.0, 0.25]):
        assert (images[:, channel] == expected).all()
    assert prepared["inputs"]["token_ids"].tolist() == [[0, 5, 2]] * 2
    assert prepared["data_samples"] is batch["data_samples"]
    # The original batch is not modified.
    assert (batch["inputs"]["images"] == 130).all()


def test_float_images_are_not_changed_in_place():
    batch = _batch()
    batch["inputs"]["images"] = batch["inputs"]["images"].float()
    GroundingDataPreprocessor(mean=MEAN, std=STD)(batch)
    assert (batch["inputs"]["images"] == 130).all()


def test_a_batch_can_have_no_data_samples():
    batch = _batch()
    del batch["data_samples"]
    assert GroundingDataPreprocessor()(batch)["data_samples"] is None


def test_the_state_dict_is_empty():
    assert GroundingDataPreprocessor().state_dict() == {}


def test_inputs_move_to_the_device():
    preprocessor = MODELS.build({"type": "GroundingDataPreprocessor"}).to("meta")
    prepared = preprocessor(_batch())
    assert {value.device.type for value in prepared["inputs"].values()} == {"meta"}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an accelerator")
def test_inputs_move_to_an_accelerator():
    prepared = GroundingDataPreprocessor(mean=MEAN, std=STD).to("cuda")(_batch())
    assert prepared["inputs"]["images"].is_cuda
    assert (prepared["inputs"]["images"][:, 0] == 3).all()


@pytest.mark.parametrize("kwargs", [{"mean": (1, 2)}, {"std": (1, 0, 1)}])
def test_invalid_means_and_stds_raise(kwargs):
    with pytest.raises(ValueError, match="mean and std must have three values each"):
        GroundingDataPreprocessor(**kwargs)
