import copy

import pytest
import torch
from torch import nn

from vgtoolbox.deployment import acceleration
from vgtoolbox.deployment.acceleration import (
    CudaGraphForward,
    PackedLinear,
    accelerate,
    fold_batch_norms,
    pack_linears,
)
from vgtoolbox.deployment.profiling.workload import load_for_measurement, make_inputs

needs_onednn = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN"
)


@pytest.fixture(scope="module")
def loaded(miniature_config):
    """Return the miniature model with random statistics in its batch norms."""
    loaded = load_for_measurement(miniature_config, None)[0]
    generator = torch.Generator().manual_seed(0)
    for module in loaded.model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for value in (module.running_mean, module.running_var, module.weight, module.bias):
                value.data.uniform_(0.5, 1.5, generator=generator)
    return loaded


@pytest.fixture(scope="module")
def inputs(loaded):
    return make_inputs(loaded, 2)


@pytest.fixture
def model(loaded):
    return copy.deepcopy(loaded.model)


def _assert_same_outputs(output, expected, tolerance):
    assert torch.equal(output.points, expected.points)
    for name in ("class_logits", "boxes_cxcywh", "instance_mask_logits", "semantic_mask_logits"):
        torch.testing.assert_close(
            getattr(output, name).float(), getattr(expected, name), rtol=0, atol=tolerance
        )


def test_eager_equals_tensor_mode_without_gradients(model, inputs):
    output = accelerate(model, "eager")(inputs)
    assert not output.boxes_cxcywh.requires_grad
    with torch.no_grad():
        assert torch.equal(output.boxes_cxcywh, model.tensor(inputs).boxes_cxcywh)


@needs_onednn
def test_fused_mode_gives_the_same_outputs(model, loaded, inputs, monkeypatch):
    monkeypatch.setattr(acceleration, "_MIN_PACKED_WEIGHTS", 1)
    forward = accelerate(model, "fused")
    kinds = {type(module) for module in model.modules()}
    assert PackedLinear in kinds
    assert nn.BatchNorm2d not in kinds
    with torch.no_grad():
        expected = loaded.model.tensor(inputs)
    _assert_same_outputs(forward(inputs), expected, 1e-4)


@needs_onednn
def test_bfloat16_outputs_are_close_to_float32(model, loaded, inputs, monkeypatch):
    monkeypatch.setattr(acceleration, "_MIN_PACKED_WEIGHTS", 1)
    output = accelerate(model, "fused", dtype=torch.bfloat16)(inputs)
    with torch.no_grad():
        expected = loaded.model.tensor(inputs)
    difference = (output.encoder_image.float() - expected.encoder_image).abs().max()
    assert 0 < difference < 0.1  # of values around 1


def test_folded_batch_norms_give_the_same_outputs():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()),
        nn.Conv2d(4, 2, 1, bias=False),
        nn.BatchNorm2d(2),
    )
    net(torch.randn(8, 3, 5, 5))  # moves the running statistics away from 0 and 1
    net.eval()
    x = torch.randn(2, 3, 5, 5)
    expected = net(x)
    assert fold_batch_norms(net) == 2
    assert not any(isinstance(module, nn.BatchNorm2d) for module in net.modules())
    torch.testing.assert_close(net(x), expected)


def test_batch_norm_without_a_convolution_is_kept():
    net = nn.Sequential(nn.ReLU(), nn.BatchNorm2d(2)).eval()
    assert fold_batch_norms(net) == 0
    assert isinstance(net[1], nn.BatchNorm2d)


@needs_onednn
class TestPackedLinear:
    @pytest.mark.parametrize("shape", [(5, 8), (2, 3, 8), (0, 8)])
    @pytest.mark.parametrize("bias", [True, False])
    def test_gives_the_same_outputs(self, shape, bias):
        linear, x = nn.Linear(8, 6, bias=bias), torch.randn(shape)
        packed = PackedLinear(linear, dtype=torch.float32)
        with torch.no_grad():
            torch.testing.assert_close(packed(x), linear(x))

    def test_accepts_a_noncontiguous_slice(self):
        linear, x = nn.Linear(8, 6), torch.randn(2, 5, 8)
        with torch.no_grad():
            packed = PackedLinear(linear, dtype=torch.float32)(x[:, 1:4])
            torch.testing.assert_close(packed, linear(x[:, 1:4]))

    def test_keeps_the_state_dict_and_the_weights(self):
        linear = nn.Linear(300, 300)
        net = nn.Sequential(linear, nn.Linear(4, 4), nn.MultiheadAttention(300, 2))
        names = list(net.state_dict())
        assert pack_linears(net) == 1  # small layers and those inside attention are kept
        assert list(net.state_dict()) == names
        assert net[0].weight is linear.weight


class TestInvalidArguments:
    def test_training_mode(self, model):
        with pytest.raises(ValueError, match="training mode; call eval"):
            accelerate(model.train())

    def test_unknown_mode(self, model):
        with pytest.raises(ValueError, match=r"mode must be 'eager', 'fused', .* got 'fast'"):
            accelerate(model, "fast")

    def test_cuda_graph_without_cuda(self, model):
        with pytest.raises(ValueError, match="needs a model on CUDA, got a model on cpu"):
            accelerate(model, "cudagraph")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
class TestCudaGraph:
    def test_replays_the_graph_on_new_inputs(self, model, inputs):
        model.cuda()
        here = {name: value.cuda() for name, value in inputs.items()}
        forward = accelerate(copy.deepcopy(model), "cudagraph")
        forward(here)
        other = {**here, "images": here["images"].flip(0)}
        with torch.no_grad():
            expected = model.tensor(other)
        _assert_same_outputs(forward(other), expected, 1e-4)

    def test_inputs_of_another_shape(self):
        forward = CudaGraphForward(lambda inputs: inputs["x"] + 1)
        forward({"x": torch.zeros(2, device="cuda")})
        with pytest.raises(
            ValueError, match=r"'x' must have the recorded shape \(2,\), got \(3,\)"
        ):
            forward({"x": torch.zeros(3, device="cuda")})


@pytest.mark.slow
def test_model_compiles_without_graph_breaks(model, loaded, inputs):
    explanation = torch._dynamo.explain(model.tensor)(inputs)
    assert explanation.graph_break_count == 0, explanation.break_reasons
    torch._dynamo.reset()
    with torch.no_grad():
        expected = loaded.model.tensor(inputs)
    _assert_same_outputs(accelerate(model, "compile")(inputs), expected, 1e-4)
