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
        to_ours: Renames, splits and merges its entries into those of our `model`.
    """

    name: str
    matches: Callable[[Collection[str]], bool]
    to_ours: Callable[[StateDict, nn.Module], StateDict]
