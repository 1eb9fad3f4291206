"""Linear layers with weights of 8 or 4 bits, based on bitsandbytes.

8 bits: one scale per row (LLM.int8(), Dettmers et al., NeurIPS 2022). 4 bits: the quantiles of a
normal distribution and one scale per 64 numbers (NF4 of QLoRA, Dettmers et al., NeurIPS 2023).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vgtoolbox.utils.choices import check_choice

Bits = Literal[4, 8]
_BLOCK = 64


class QuantizedLinear(nn.Module):
    """Linear layer that packs its weight when it is loaded and unpacks it when it is called.

    Loading accepts a `weight` (out, in) like that of the replaced layer. The layer can be neither
    saved nor trained: its `weight` in a state dict has a shape but no values.

    Args:
        linear: Replaced layer, whose weight is dropped.
        bits: Number of bits per weight, 4 or 8.
    """

    packed: Tensor
    scales: Tensor

    def __init__(self, linear: nn.Linear, bits: Bits) -> None:
        super().__init__()
        self._library = _bitsandbytes()
        self.bits = bits
        self.shape, self.dtype = linear.weight.shape, linear.weight.dtype
        self.bias = linear.bias
        nothing = torch.empty(0, dtype=torch.int8, device=linear.weight.device)
        self.register_buffer("packed", nothing, persistent=False)
        self.register_buffer("scales", nothing.float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return (..., out) of x (..., in)."""
        if not self.packed.numel():
            raise RuntimeError(
                f"a layer with {self.bits} bits must have loaded weights before it is called, got "
                "none; load a checkpoint first"
            )
        return F.linear(x, self._unpack().to(x.dtype), self.bias)

    def _pack(self, weight: Tensor) -> None:
        weight = weight.to(self.packed.device)
        if self.bits == 8:  # the kernels need half precision
            self.packed, self.scales, _ = self._library.int8_vectorwise_quant(weight.half())
        else:
            self.packed, state = self._library.quantize_4bit(
                weight.to(self.dtype), blocksize=_BLOCK, quant_type="nf4"
            )
            self.scales = state.absmax

    def _unpack(self) -> Tensor:
        if self.bits == 8:
            return self._library.int8_vectorwise_dequant(self.packed, self.scales)
        state = self._library.QuantState(
            absmax=self.scales,
            shape=self.shape,
            code=self._library.get_4bit_type("nf4", device=self.packed.device),
            blocksize=_BLOCK,
            quant_type="nf4",
            dtype=self.dtype,
        )
        return self._library.dequantize_4bit(self.packed, state)

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[prefix + "weight"] = torch.empty(self.shape, dtype=self.dtype, device="meta")

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Tensor], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        others = dict(state_dict)
        weight = others.pop(prefix + "weight", None)
        if weight is not None:
            self._pack(weight)
        super()._load_from_state_dict(others, prefix, *args, **kwargs)


def quantize_linears(module: nn.Module, bits: Bits) -> None:
    """Replace the linear layers inside a module; weights must be loaded afterwards.

    Args:
        module: Module, which is changed in place.
        bits: Number of bits per weight, 4 or 8.

    Raises:
        ImportError: bitsandbytes is not installed.
        ValueError: `bits` is neither 4 nor 8.
    """
    check_choice("mllm.quantize", bits, get_args(Bits))
    for name, child in list(module.named_modules()):
        if isinstance(child, nn.Linear):
            module.set_submodule(name, QuantizedLinear(child, bits))


def _bitsandbytes() -> ModuleType:
    try:
        from bitsandbytes import functional
    except ImportError as error:
        raise ImportError(
            "mllm.quantize needs bitsandbytes, which is not installed; "
            "pip install 'bitsandbytes>=0.46', or set mllm.quantize=None"
        ) from error
    return functional
