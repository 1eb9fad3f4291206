import pytest
import torch
from torch import nn

from vgtoolbox.engine import AutocastOptimWrapper, train


def wrapper_of(model, **options):
    return AutocastOptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1), **options)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_forward_runs_in_low_precision_and_weights_stay_float32(dtype):
    model = nn.Linear(4, 1)
    before = model.weight.detach().clone()
    wrapper = wrapper_of(model, dtype=dtype, clip_grad={"max_norm": 0.01})
    with wrapper.optim_context(model):
        output = model(torch.ones(2, 4))
    assert output.dtype == getattr(torch, dtype)
    wrapper.update_params(0.01 * output.float().mean())
    assert model.weight.dtype == torch.float32
    # A gradient of 0.01 for each of 4 weights and the bias, clipped to a norm of 0.01.
    step = torch.full((1, 4), 0.1 * 0.01 / 5**0.5)
    torch.testing.assert_close(before - model.weight, step, rtol=2e-3, atol=0)


def test_an_overflow_skips_the_step_and_lowers_the_scale():
    model = nn.Linear(2, 1)
    before = model.weight.detach().clone()
    wrapper = wrapper_of(model, dtype="float16")
    scale = wrapper.scaler.get_scale()
    wrapper.update_params(model(torch.full((1, 2), 1e38)).sum())
    assert torch.equal(model.weight, before)
    assert wrapper.scaler.get_scale() == scale / 2


def test_the_scale_is_saved_and_restored():
    model = nn.Linear(2, 1)
    wrapper = wrapper_of(model, dtype="float16")
    wrapper.update_params(model(torch.full((1, 2), 1e38)).sum())
    other = wrapper_of(model, dtype="float16")
    other.load_state_dict(wrapper.state_dict())
    assert other.scaler.get_scale() == wrapper.scaler.get_scale()


def test_a_state_without_scaler_loads():
    model = nn.Linear(2, 1)
    plain = wrapper_of(model).state_dict()
    del plain["scaler"]
    wrapper_of(model, dtype="float16").load_state_dict(plain)


def test_unknown_dtype_is_rejected():
    with pytest.raises(ValueError, match="dtype must be 'bfloat16' or 'float16', got 'fp16'"):
        wrapper_of(nn.Linear(1, 1), dtype="fp16")


def test_a_training_under_autocast_learns(toy_config):
    cfg = toy_config(
        **{
            "optim_wrapper.type": "AutocastOptimWrapper",
            "train_cfg.max_epochs": 20,
            "param_scheduler": None,
            "model.dropout": 0.0,
        }
    )
    losses = train(cfg).message_hub.get_scalar("train/loss").data[0]
    assert losses[-6:].mean() < 0.5 * losses[:6].mean()
