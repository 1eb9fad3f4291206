"""What a layout of somebody else's checkpoint has to say about itself."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from torch import Tensor, nn

StateDict = dict[str, Tensor]


@dataclass(frozen=True)
class Layout:
    """How one published code base names the weights of a model that we have too.

    Attributes:
        name: What reports call it, e.g. "the release of InstanceVG".
        matches: Whether a state dict with these keys is of that code base.
        to_ours: Renames, splits and merges its entries into those of our `model`; without a model,
            where a layout can do it by names and shapes alone.
        matches_ours: Whether a state dict of ours with these keys is of the model that the code
            base publishes; None where nothing is written back.
        to_published: Undoes `to_ours`, tensors aside that are stored and never read; without a
            model, where a layout can do it by names and shapes alone.
        convert: `to_ours` of a single tensor for a model, where each stands by itself, so that a
            large checkpoint can be read bit by bit; LoRA is left apart.
        lora_scaling: alpha / r of its LoRA.
    """

    name: str
    matches: Callable[[Collection[str]], bool]
    to_ours: Callable[[StateDict, nn.Module | None], StateDict]
    matches_ours: Callable[[Collection[str]], bool] | None = None
    to_published: Callable[[StateDict, nn.Module | None], StateDict] | None = None
    convert: Callable[[str, Tensor, nn.Module], StateDict] | None = None
    lora_scaling: float = 1.0
