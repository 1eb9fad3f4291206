"""Multiway modules: separate weights per modality (VLMo, section 3.1; BEiT-3, section 2.1)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn


class Multiway(nn.Module):
    """Two modules of the same architecture, one for vision tokens and one for text tokens.

    Args:
        make: Function that builds one of the two.
    """

    def __init__(self, make: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.vision = make()
        self.text = make()

    def forward(self, vision: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        """Apply each module to its tokens.

        Args:
            vision: Vision tokens (B, S, C).
            text: Text tokens (B, T, C).

        Returns:
            Outputs (B, S, C') and (B, T, C').
        """
        return self.vision(vision), self.text(text)
