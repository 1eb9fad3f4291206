"""Accelerate the inference of a trained model without changing its outputs.

`accelerate` returns a function that replaces `model.tensor`. The modes:

eager       no change
fused       batch norms folded into their convolutions, convolutions in channels-last format, and
            on a CPU the weights of linear layers packed into the layout of oneDNN's kernels
compile     torch.compile with static shapes; on a CPU with weights frozen into the code, which
            needs a C++ compiler
cudagraph   "fused", with the whole pass recorded once and replayed; CUDA only, static shapes
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from itertools import pairwise
from typing import Any, Literal, get_args

import torch
from mmengine.logging import print_log
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from vgtoolbox.inference.precision import store_matrices
from vgtoolbox.utils.choices import check_choice

AccelerationMode = Literal["eager", "fused", "compile", "cudagraph"]
ACCELERATION_MODES: tuple[AccelerationMode, ...] = get_args(AccelerationMode)
Inputs = Mapping[str, Tensor]
Forward = Callable[[Inputs], Any]

# With fewer weights the overhead of a call exceeds the cost of its arithmetic with any kernel.
_MIN_PACKED_WEIGHTS = 1 << 16


def accelerate(
    model: BaseModel, mode: AccelerationMode = "fused", *, dtype: torch.dtype = torch.float32
) -> Forward:
    """Return a faster version of `tensor` mode.

    "fused" and "cudagraph" change the model itself: from then on use it for inference only.

    Args:
        model: Grounder in evaluation mode, on its device, with its weights loaded.
        mode: Acceleration mode, one of `ACCELERATION_MODES`.
        dtype: float32, or a half precision that is used with autocast. Matrices are then stored
            in half precision.

    Raises:
        ValueError: `mode` is unknown, the model is in training mode, or the mode is "cudagraph"
            and the model is not on CUDA.
    """
    check_choice("mode", mode, ACCELERATION_MODES)
    if model.training:
        raise ValueError(
            "the model must be in evaluation mode, got training mode; call eval() first"
        )
    device = next(model.parameters()).device
    if mode == "cudagraph" and device.type != "cuda":
        raise ValueError(f"mode 'cudagraph' needs a model on CUDA, got a model on {device}")
    if mode in ("fused", "cudagraph"):
        _fuse(model, device, dtype)
    if dtype != torch.float32:
        store_matrices(model, dtype)
    forward = _with_autocast(lambda inputs: model(inputs, mode="tensor"), device, dtype)
    if mode == "compile":
        options: dict[str, Any] = {"freezing": True} if device.type == "cpu" else {}
        return _without_grad(torch.compile(forward, dynamic=False, options=options))
    if mode == "cudagraph":
        return CudaGraphForward(_without_grad(forward))
    return _without_grad(forward)


class CudaGraphForward:
    """Forward pass that is recorded in the first call and replayed with a single launch.

    Outputs are in the graph's own memory, which the next call overwrites: clone those to keep.

    Args:
        forward: Function to record. It must not read values back from the device.
    """

    def __init__(self, forward: Forward) -> None:
        self._forward = forward
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs: dict[str, Tensor] = {}
        self._output: Any = None

    def __call__(self, inputs: Inputs) -> Any:
        """Run on inputs of the same shapes as in the first call.

        Raises:
            ValueError: An input has another shape than in the first call.
        """
        if self._graph is None:
            self._record(inputs)
        for name, static in self._inputs.items():
            if inputs[name].shape != static.shape:
                raise ValueError(
                    f"{name!r} must have the recorded shape {tuple(static.shape)}, got "
                    f"{tuple(inputs[name].shape)}; use one CudaGraphForward per shape"
                )
            static.copy_(inputs[name], non_blocking=True)
        self._graph.replay()  # type: ignore[union-attr]
        return self._output

    def _record(self, inputs: Inputs) -> None:
        self._inputs = {name: value.clone() for name, value in inputs.items()}
        # Recording requires a warm-up on another stream: libraries choose kernels, caches fill.
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                self._forward(self._inputs)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._output = self._forward(self._inputs)
        self._graph = graph


class PackedLinear(nn.Linear):
    """Linear layer with a second copy of its weight in the layout of oneDNN's CPU kernels.

    MKL repacks a weight in every call, and on CPUs of other vendors it is the slower library. The
    original weight is kept for code that reads it and for the state dict; changing it has no effect
    on the output.

    Args:
        linear: Layer to replace.
        dtype: Data type of the packed weight and of the result.
    """

    def __init__(self, linear: nn.Linear, *, dtype: torch.dtype) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.weight, self.bias = linear.weight, linear.bias
        self.dtype = dtype
        self._packed = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach().to(dtype))
        self._packed_bias = None if linear.bias is None else linear.bias.detach().to(dtype)
        self.eval()

    def forward(self, input: Tensor) -> Tensor:
        """Map (..., in_features) to (..., out_features)."""
        if input.numel() == 0:
            return super().forward(input)
        return torch.ops.mkldnn._linear_pointwise(
            input.to(self.dtype), self._packed, self._packed_bias, "none", [], ""
        )


def fold_batch_norms(model: nn.Module) -> int:
    """Fold batch norms into the convolutions before them and return their number."""
    folded = 0
    for sequence in [m for m in model.modules() if isinstance(m, nn.Sequential)]:
        for first, second in pairwise(list(sequence.named_children())):
            (name, conv), (norm_name, norm) = first, second
            if type(conv) is nn.Conv2d and isinstance(norm, nn.BatchNorm2d):
                setattr(sequence, name, fuse_conv_bn_eval(conv, norm))
                setattr(sequence, norm_name, nn.Identity())
                folded += 1
    return folded


def pack_linears(model: nn.Module, dtype: torch.dtype = torch.float32) -> int:
    """Replace the larger linear layers by packed ones and return their number.

    Does nothing if torch was built without oneDNN.
    """
    if not torch.backends.mkldnn.is_available() or not hasattr(
        torch.ops.mkldnn, "_linear_pointwise"
    ):
        print_log("linear layers are not packed: torch has no oneDNN", logger="current")
        return 0
    packed = 0
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            # Not its subclasses: attention layers pass their weights to other functions.
            if type(child) is nn.Linear and child.weight.numel() >= _MIN_PACKED_WEIGHTS:
                setattr(parent, name, PackedLinear(child, dtype=dtype))
                packed += 1
    return packed


def _fuse(model: nn.Module, device: torch.device, dtype: torch.dtype) -> None:
    folded = fold_batch_norms(model)
    model.to(memory_format=torch.channels_last)
    packed = pack_linears(model, dtype) if device.type == "cpu" else 0
    message = f"folded {folded} batch norms, packed {packed} linear layers"
    print_log(message, logger="current", level=logging.DEBUG)


def _with_autocast(forward: Forward, device: torch.device, dtype: torch.dtype) -> Forward:
    def run(inputs: Inputs) -> Any:
        half = dtype != torch.float32
        with torch.autocast(device.type, dtype=dtype) if half else nullcontext():
            return forward(inputs)

    return run


def _without_grad(forward: Forward) -> Forward:
    # `no_grad` instead of `inference_mode`: with inference tensors, weights would not be frozen.
    def run(inputs: Inputs) -> Any:
        with torch.no_grad():
            return forward(inputs)

    return run
