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


def _views():
    batch = _batch()
    batch["inputs"]["views"] = {"clip": torch.full((2, 3, 6, 4), 140, dtype=torch.uint8)}
    for sample, size, view in zip(
        batch["data_samples"], [(4, 5), (4, 3)], [(6, 4), (2, 4)], strict=True
    ):
        sample.set_metainfo({"img_shape": size, "view_shapes": {"clip": view}})
    return batch


def test_views_have_their_own_normalization_padding_and_mask():
    clip = {"mean": [120.0] * 3, "std": [10.0] * 3, "pad_size": 8, "mask_padding": True}
    preprocessor = GroundingDataPreprocessor(mean=MEAN, std=STD, pad_size=6, views={"clip": clip})
    inputs = preprocessor(_views())["inputs"]
    images, view, valid = inputs["images"], inputs["views"]["clip"], inputs["valid"]["clip"]
    assert images.shape == (2, 3, 6, 6)
    assert view.shape == (2, 3, 8, 8)
    # Padding is 0 after the normalization, also that of the batch.
    assert (images[0, 0, :4, :5] == 3.0).all()
    assert images[0].count_nonzero() == 3 * 4 * 5
    assert images[1].count_nonzero() == 3 * 4 * 3
    assert (view[0, :, :6, :4] == 2.0).all()
    assert view[1].count_nonzero() == 3 * 2 * 4
    assert torch.equal(valid, view[:, 0] != 0)


def test_images_must_fit_the_padded_frame():
    with pytest.raises(ValueError, match=r"at most 4 pixels on each side, got 4 x 5; resize"):
        GroundingDataPreprocessor(pad_size=4, views={"clip": {}})(_views())


def test_views_must_agree_with_the_pipeline():
    with pytest.raises(ValueError, match=r"views must be the views of the batch, \['clip'\], got"):
        GroundingDataPreprocessor()(_views())
