import pytest
import torch
from mmengine.optim import OptimWrapper

from vgtoolbox.models import GroundingDataPreprocessor
from vgtoolbox.models.grounders import BaseGrounder, InstanceVGOutput


def test_each_mode_calls_its_method(build_tiny, make_batch):
    model, (inputs, samples) = build_tiny().eval(), make_batch((1, 0))
    with torch.no_grad():
        assert isinstance(model(inputs), InstanceVGOutput)
        assert isinstance(model(inputs, samples, mode="tensor"), InstanceVGOutput)
        assert all(loss.ndim == 0 for loss in model(inputs, samples, mode="loss").values())
        assert model(inputs, samples, mode="predict") == samples


@pytest.mark.parametrize("mode", ["loss", "predict"])
def test_modes_that_need_samples(build_tiny, make_batch, mode):
    inputs, _ = make_batch((1,))
    with pytest.raises(ValueError, match=f"mode '{mode}' needs data_samples"):
        build_tiny()(inputs, mode=mode)


def test_unknown_mode(build_tiny, make_batch):
    inputs, samples = make_batch((1,))
    with pytest.raises(ValueError, match="mode must be 'loss', 'predict' or 'tensor', got 'train'"):
        build_tiny()(inputs, samples, mode="train")


def test_train_and_test_steps_preprocess_raw_batches(build_tiny, make_batch):
    """Call the steps that the Runner of mmengine calls."""
    model, (inputs, samples) = build_tiny(), make_batch((1, 0, 2))
    assert isinstance(model, BaseGrounder)
    assert isinstance(model.data_preprocessor, GroundingDataPreprocessor)
    pixels = torch.randint(0, 256, inputs["images"].shape, dtype=torch.uint8)
    batch = {"inputs": inputs | {"images": pixels}, "data_samples": samples}
    before = [parameter.clone() for parameter in model.parameters()]
    logged = model.train_step(batch, OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1)))
    total = sum(value for name, value in logged.items() if name != "loss")
    torch.testing.assert_close(logged["loss"], total)
    changed = [not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True)]
    assert any(changed)
    with torch.no_grad():
        filled = model.eval().test_step(batch)
    assert [sample.sample_idx for sample in filled] == [0, 1, 2]
    assert all("pred_instances" in sample for sample in filled)
