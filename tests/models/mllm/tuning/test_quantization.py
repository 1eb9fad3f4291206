import sys

import pytest
import torch
from torch import nn

from vgtoolbox.checkpoint import load_state_dict_strict
from vgtoolbox.models.mllm.tuning.quantization import QuantizedLinear

FROZEN = {"lora": None, "trainable": []}


def test_without_the_library(build_mllmseg, monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(ImportError, match=r"pip install 'bitsandbytes>=0\.46'"):
        build_mllmseg(mllm={**FROZEN, "quantize": 4})


def test_trained_models_cannot_be_quantized(build_mllmseg):
    with pytest.raises(ValueError, match=r"must be None when.*got 8.*mllm\.trainable=\[\]"):
        build_mllmseg(mllm={"quantize": 8})


def test_invalid_numbers_of_bits(build_mllmseg):
    with pytest.raises(ValueError, match="must be 4 or 8, got 3"):
        build_mllmseg(mllm={**FROZEN, "quantize": 3})


# The bound is half a step, relative to the largest number of a row or of a block of 64.
@pytest.mark.parametrize(("bits", "error"), [(8, 0.5 / 127), (4, 0.16)])
def test_a_quantized_layer_is_close_to_the_original(bits, error):
    pytest.importorskip("bitsandbytes")
    linear = nn.Linear(128, 32)
    layer = QuantizedLinear(linear, bits)
    with pytest.raises(RuntimeError, match="no weights before a checkpoint is loaded"):
        layer(torch.zeros(1, 128))
    layer.load_state_dict(linear.state_dict())
    assert layer.packed.numel() * layer.packed.element_size() == 128 * 32 * bits // 8
    difference = layer(torch.eye(128)) - linear(torch.eye(128))
    bound = linear.weight.abs().amax(1)
    assert bool((difference.abs() <= error * bound + 2e-3).all())
    assert set(layer.state_dict()) == {"weight", "bias"}
    assert layer.state_dict()["weight"].is_meta


@pytest.mark.parametrize("bits", [4, 8])
def test_masks_are_close_and_only_the_language_model_is_packed(
    build_mllmseg, make_conversations, bits
):
    pytest.importorskip("bitsandbytes")
    model = build_mllmseg(mllm=FROZEN).eval()
    packed = build_mllmseg(mllm={**FROZEN, "quantize": bits}).eval()
    assert load_state_dict_strict(packed, model.state_dict()).complete
    inside = {name for name, m in packed.named_modules() if isinstance(m, QuantizedLinear)}
    layers = "mllm.adapter.model.model.language_model.layers."
    assert len(inside) == 2 * 7
    assert all(name.startswith(layers) for name in inside)
    image = model.mllm.image_token_id
    inputs = {
        "images": make_conversations((1,))[0]["images"],
        "token_ids": torch.tensor([[1, image, image, image, image, 5, model.target_ids[0]]]),
    }
    with torch.no_grad():
        exact, near = model(inputs), packed(inputs)
    assert torch.equal(exact.patches, near.patches)
    assert torch.cosine_similarity(exact.states.flatten(), near.states.flatten(), 0) > 0.9
    assert not torch.equal(exact.states, near.states)
