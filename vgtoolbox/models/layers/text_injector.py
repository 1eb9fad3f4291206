"""Language inside a visual backbone (PLVL, arXiv 2504.16145, section 3.2)."""

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
    """Patches attend to the words, which a bottleneck adapts to this depth of the backbone.

    Args:
        embed_dim: C of patches and words.
        num_heads: Attention heads.
        bottleneck: Hidden width of the adapter.
        dropout: Of the attention weights.
        mask_padding: Attend to words only. Published weights depend on attending to the padding
            of the expression as well.
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
        """Return what the words add to the patches.

        Args:
            patches: (B, h, w, C), read as they are: no norm on the queries.
            text: (B, T, C).
            text_padding_mask: (B, T) bool, True = padding.

        Returns:
            (B, h, w, C).
        """
        attended, _ = self._attend(patches, text, text_padding_mask, need_weights=False)
        return attended.view_as(patches)

    def attention_weights(self, patches: Tensor, text: Tensor, text_padding_mask: Tensor) -> Tensor:
        """Return how much each patch attends to each word; arguments as in `forward`.

        Returns:
            (B, T, h, w), the mean over heads; over T they sum to 1.
        """
        _, weights = self._attend(patches, text, text_padding_mask, need_weights=True)
        return weights.transpose(1, 2).unflatten(2, (patches.shape[1], patches.shape[2]))

    def _attend(
        self, patches: Tensor, text: Tensor, text_padding_mask: Tensor, *, need_weights: bool
    ) -> tuple[Tensor, Tensor]:
        """Return what the attention gives, (B, h * w, C), and its weights (B, h * w, T)."""
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

    def record(injector: nn.Module, arguments: tuple[Any, ...]) -> None:
        if threading.get_ident() == owner and isinstance(injector, TextInjector):
            recorded.append(injector.attention_weights(*arguments))

    injectors = [each for each in module.modules() if isinstance(each, TextInjector)]
    handles = [each.register_forward_pre_hook(record) for each in injectors]
    try:
        yield recorded
    finally:
        for handle in handles:
            handle.remove()
