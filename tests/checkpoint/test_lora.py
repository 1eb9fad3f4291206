import pytest
import torch
from torch import nn

from vgtoolbox.checkpoint.lora import (
    fit_lora,
    has_lora,
    is_adapter_only,
    merged_lora,
    model_scaling,
)


class Wrapped(nn.Module):
    """A linear layer under LoRA, by the names of peft."""

    def __init__(self, rank=2, alpha=4):
        super().__init__()
        self.base_layer = nn.Linear(4, 3)
        self.base_layer.requires_grad_(False)
        self.lora_A = nn.ModuleDict({"default": nn.Linear(4, rank, bias=False)})
        self.lora_B = nn.ModuleDict({"default": nn.Linear(rank, 3, bias=False)})
        nn.init.zeros_(self.lora_B["default"].weight)
        self.scaling = {"default": alpha / rank}


def models():
    torch.manual_seed(0)
    wrapped = nn.ModuleDict({"layer": Wrapped(), "head": nn.Linear(3, 2)})
    plain = nn.ModuleDict({"layer": nn.Linear(4, 3), "head": nn.Linear(3, 2)})
    return wrapped, plain


def trained(wrapped):
    state = {key: value.clone() for key, value in wrapped.state_dict().items()}
    state["layer.lora_B.default.weight"] += 1.0
    return state


def test_merging_is_the_sum_of_both():
    wrapped, plain = models()
    state = trained(wrapped)
    merged = merged_lora(state, 2.0)
    assert set(merged) == set(plain.state_dict())
    delta = state["layer.lora_B.default.weight"] @ state["layer.lora_A.default.weight"]
    torch.testing.assert_close(merged["layer.weight"], state["layer.base_layer.weight"] + 2 * delta)
    assert torch.equal(merged["layer.bias"], state["layer.base_layer.bias"])


def test_stored_keys():
    state = trained(models()[0])
    adapter = {key: value for key, value in state.items() if "base_layer" not in key}
    assert has_lora(state)
    assert not is_adapter_only(state)
    assert is_adapter_only(adapter)
    assert not is_adapter_only(models()[1].state_dict())
    with pytest.raises(ValueError, match="the layer that it adapts is missing"):
        merged_lora(adapter, 2.0)


def test_a_merged_checkpoint_loads_into_new_lora():
    wrapped, plain = models()
    fitted = fit_lora(plain.state_dict(), wrapped)
    wrapped.load_state_dict(fitted)
    assert torch.equal(wrapped["layer"].base_layer.weight, plain["layer"].weight)
    assert float(wrapped["layer"].lora_B["default"].weight.abs().sum()) == 0
    wrapped.load_state_dict(trained(wrapped))
    with pytest.raises(ValueError, match="must be 0 to load a checkpoint without LoRA"):
        fit_lora(plain.state_dict(), wrapped)


def test_an_adapter_uses_the_base_weights_of_the_model():
    wrapped, _ = models()
    state = trained(wrapped)
    adapter = {key: value for key, value in state.items() if "base_layer" not in key}
    fitted = fit_lora(adapter, wrapped)
    assert set(fitted) == set(wrapped.state_dict())
    del adapter["head.weight"]
    assert "head.weight" not in fit_lora(adapter, wrapped)  # it is trained, so it is missed


def test_scalings():
    wrapped, plain = models()
    assert model_scaling(wrapped) == 2.0
    assert model_scaling(plain) is None
    state = trained(wrapped)
    assert fit_lora(state, wrapped, scaling=2.0).keys() == state.keys()
    with pytest.raises(ValueError, match="that of the checkpoint, 4, got 2"):
        fit_lora(state, wrapped, scaling=4.0)
    with pytest.raises(ValueError, match="alpha / r is unknown"):
        fit_lora(state, plain)
    torch.testing.assert_close(fit_lora(state, plain, scaling=2.0), merged_lora(state, 2.0))


def test_bfloat16_is_merged_in_single_precision():
    state = {key: value.bfloat16() for key, value in trained(models()[0]).items()}
    merged = merged_lora(state, 2.0)["layer.weight"]
    exact = merged_lora({key: value.float() for key, value in state.items()}, 2.0)["layer.weight"]
    assert torch.equal(merged, exact.bfloat16())
