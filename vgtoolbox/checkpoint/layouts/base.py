"""Base classes for the layouts of published checkpoints."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import ClassVar

from torch import Tensor, nn

StateDict = dict[str, Tensor]


class Layout(ABC):
    """Names that a published code base gives to the weights of a model that exists here as well.

    Attributes:
        name: Name for reports and errors, e.g. "the published InstanceVG".
    """

    name: ClassVar[str]

    @abstractmethod
    def matches(self, keys: Collection[str]) -> bool:
        """Return whether a state dict with these keys has the published layout."""

    def matches_ours(self, keys: Collection[str]) -> bool:
        """Return whether a state dict of ours with these keys can be recognized for export.

        By default no state dict can, and `to_published` has to be called explicitly.
        """
        return False

    @abstractmethod
    def to_ours(self, state: StateDict, model: nn.Module | None = None) -> StateDict:
        """Rename, split and merge published entries into those of our `model`.

        Args:
            state: State dict with published keys, without a `module.` prefix.
            model: Model that the state dict is meant for. If `None`, names and shapes have to
                suffice, which is not the case for every layout.

        Raises:
            ValueError: A key is unknown, or the model is needed.
        """

    @abstractmethod
    def to_published(
        self, state: Mapping[str, Tensor], model: nn.Module | None = None
    ) -> StateDict:
        """Undo `to_ours`, except for tensors that the published model stores and never reads.

        Args:
            state: State dict with our keys.
            model: Model that the state dict belongs to. If `None`, names and shapes have to
                suffice, which is not the case for every layout.

        Raises:
            ValueError: A key has no published counterpart, or the model is needed.
        """


class StreamingLayout(Layout):
    """Layout whose tensors are converted one at a time, for checkpoints that exceed the memory.

    Attributes:
        lora_scaling: alpha / r of the LoRA in published checkpoints.
    """

    lora_scaling: ClassVar[float] = 1.0

    @abstractmethod
    def convert(self, key: str, value: Tensor, model: nn.Module | None) -> StateDict:
        """Convert one published tensor to one or several of ours; LoRA is not merged.

        Args:
            key: Published key.
            value: Published tensor.
            model: Model that the tensor is meant for.

        Raises:
            ValueError: The key is unknown, or the model is needed.
        """
