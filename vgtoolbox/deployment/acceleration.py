"""The same outputs in less time: what may be done to a model that will not be trained any more.

`accelerate` gives a function that stands in for `model.tensor`. What each mode does:

eager       nothing
fused       batch norms folded into their convolutions, convolutions channels last, and on a CPU
            the weights of linear layers packed as oneDNN's kernels read them
compile     torch.compile with static shapes; on a CPU with weights frozen into the code, which
            needs a C++ compiler
cudagraph   "fused", and the whole pass recorded once and replayed; CUDA only, static shapes
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

Mode = Literal["eager", "fused", "compile", "cudagraph"]
MODES: tuple[Mode, ...] = get_args(Mode)
Inputs = Mapping[str, Tensor]
Forward = Callable[[Inputs], Any]

# Below this many weights a call costs more than its arithmetic, whatever the kernel.
_SMALLEST_PACKED = 1 << 16


def accelerate(
    model: BaseModel, mode: Mode = "fused", *, dtype: torch.dtype = torch.float32
) -> Forward:
    """Return a faster `tensor` mode.

    The model itself is changed by "fused" and "cudagraph": use it for inference alone from then on.

    Args:
        model: A grounder, in evaluation mode, on its device, with its weights.
        mode: One of `MODES`.
        dtype: float32, or a half precision for autocast; matrices are then stored in it.

    Raises:
        ValueError: An unknown mode, a model in training mode, or "cudagraph" without CUDA.
    """
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
    if model.training:
        raise ValueError("the model is in training mode; call eval() first")
    device = next(model.parameters()).device
    if mode == "cudagraph" and device.type != "cuda":
        raise ValueError(f"mode 'cudagraph' needs a model on CUDA, this one is on {device}")
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
    """Records a forward pass when first called, and replays it: one launch in place of hundreds.

    Outputs lie in the graph's own memory, which the next call overwrites: clone what must stay.

    Args:
        forward: What to record; must not read values back from the device.
    """

    def __init__(self, forward: Forward) -> None:
        self._forward = forward
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs: dict[str, Tensor] = {}
        self._output: Any = None

    def __call__(self, inputs: Inputs) -> Any:
        """Run on inputs of the shapes of the first call."""
        if self._graph is None:
            self._record(inputs)
        for name, static in self._inputs.items():
            if inputs[name].shape != static.shape:
                raise ValueError(
                    f"{name!r} was recorded with shape {tuple(static.shape)} and now has "
                    f"{tuple(inputs[name].shape)}; use one CudaGraphForward a shape"
                )
            static.copy_(inputs[name], non_blocking=True)
        self._graph.replay()  # type: ignore[union-attr]
        return self._output

    def _record(self, inputs: Inputs) -> None:
        self._inputs = {name: value.clone() for name, value in inputs.items()}
        # Warmed up on another stream, as recording demands: libraries choose kernels, caches fill.
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
    """A linear layer with a second copy of its weight, as oneDNN's CPU kernels read it.

    MKL repacks a weight in every call, and on CPUs of other makers it is the slower library. The
    weight itself stays, for code that reads it and for the state dict; a change to it has no effect
    here.

    Args:
        linear: The layer to stand in for.
        dtype: Of the packed weight, and of the result.
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
    """Merge batch norms into the convolutions before them, and return how many there were."""
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
    """Replace the larger linear layers by packed ones, and return how many there were.

    Nothing happens where torch comes without oneDNN.
    """
    if not torch.backends.mkldnn.is_available() or not hasattr(
        torch.ops.mkldnn, "_linear_pointwise"
    ):
        print_log("linear layers stay as they are: torch has no oneDNN", logger="current")
        return 0
    packed = 0
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            # Not its subclasses: attention layers hand the weights of theirs to other functions.
            if type(child) is nn.Linear and child.weight.numel() >= _SMALLEST_PACKED:
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
    # Frozen weights need `no_grad`: inference tensors would be compiled without them.
    def run(inputs: Inputs) -> Any:
        with torch.no_grad():
            return forward(inputs)

    return run
