"""Cross-attention that injects text into a visual backbone (PLVL, section 3.2)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from vgtoolbox.registry import MODELS


@MODELS.register_module()
class TextInjector(nn.Module):
    """Cross-attention from patches to words, which a bottleneck adapts to the backbone's depth.

    From PLVL (arXiv 2504.16145).

    Args:
        embed_dim: Channels C of patches and words.
        num_heads: Number of attention heads.
        bottleneck: Hidden channels of the adapter.
        dropout: Dropout rate of the attention weights.
        mask_padding: Whether to attend only to words. The published weights require attention to
            the padding of the expression as well (False).
    """

    def __init__(
        self,
        *,
        embed_dim: int = 768,
        num_heads: int = 8,
        bottleneck: int = 64,
        dropout: float = 0.1,
        mask_padding: bool = False,
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(embed_dim, eps=1e-6)
        self.down = nn.Linear(embed_dim, bottleneck)
        self.up = nn.Linear(bottleneck, embed_dim)
        self.attention = nn.MultiheadAttention(
            embed_dim, num_heads, dropout=dropout, batch_first=True
        )
        self.mask_padding = mask_padding

    def forward(self, patches: Tensor, text: Tensor, text_padding_mask: Tensor) -> Tensor:
        """Return the update of the patches, to be added to them.

        Args:
            patches: Patches (B, h, w, C); they are not normalized before the attention.
            text: Word features (B, T, C).
            text_padding_mask: Padding mask (B, T) bool, True = padding.

        Returns:
            Update (B, h, w, C).
        """
        attended, _ = self._attend(patches, text, text_padding_mask, need_weights=False)
        return attended.view_as(patches)

    def attention_weights(self, patches: Tensor, text: Tensor, text_padding_mask: Tensor) -> Tensor:
        """Return how much each patch attends to each word; arguments as in `forward`.

        Returns:
            Attention weights (B, T, h, w), the mean over heads; they sum to 1 over T.
        """
        _, weights = self._attend(patches, text, text_padding_mask, need_weights=True)
        return weights.transpose(1, 2).unflatten(2, (patches.shape[1], patches.shape[2]))

    def _attend(
        self, patches: Tensor, text: Tensor, text_padding_mask: Tensor, *, need_weights: bool
    ) -> tuple[Tensor, Tensor]:
        """Return the attention's output (B, h * w, C) and weights (B, h * w, T) if needed."""
        text = self.norm(text)
        text = text + self.up(F.relu(self.down(text)))
        return self.attention(
            patches.flatten(1, 2),
            text,
            text,
            key_padding_mask=text_padding_mask if self.mask_padding else None,
            need_weights=need_weights,
        )


@contextmanager
def recorded_attention(module: nn.Module) -> Iterator[list[Tensor]]:
    """Record the attention of each `TextInjector` that runs in this thread.

    Args:
        module: Model with injectors among its parts.

    Yields:
        List that receives the attention weights (B, T, h, w), one entry for each injector that ran.
    """
    recorded: list[Tensor] = []
    owner = threading.get_ident()

    def _record(injector: nn.Module, arguments: tuple[Any, ...]) -> None:
        """Append the attention weights (B, T, h, w) for the arguments of a call."""
        # Hooks run in every thread that uses the model; calls in other threads are not recorded.
        if threading.get_ident() == owner and isinstance(injector, TextInjector):
            recorded.append(injector.attention_weights(*arguments))

    injectors = [each for each in module.modules() if isinstance(each, TextInjector)]
    handles = [each.register_forward_pre_hook(_record) for each in injectors]
    try:
        yield recorded
    finally:
        for handle in handles:
            handle.remove()
