"""Multiway modules: one set of weights a modality (VLMo, section 3.1; BEiT-3, section 2.1)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn


class Multiway(nn.Module):
    """Two modules of the same form, one for vision tokens and one for text tokens.

    Args:
        make: Builds one of the two.
    """

    def __init__(self, make: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.vision = make()
        self.text = make()

    def forward(self, vision: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        """Apply each to its tokens: vision (B, S, C), text (B, T, C)."""
        return self.vision(vision), self.text(text)
