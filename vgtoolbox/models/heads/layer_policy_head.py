"""Policy that selects a layer of a language model for each target token (UGround, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vgtoolbox.registry import MODELS

_RANK_STRIDE, _STEP_STRIDE = 1_000_003, 7_919  # primes, so that seeds rarely coincide


@MODELS.register_module()
class LayerPolicyHead(nn.Module):
    """One vector per layer, whose products with the states of a token are logits of the layers.

    The vectors are 0 at first, so that all layers have the same probability. Sampling depends on
    the seed, the number of earlier calls, which is part of the state dict, and the process: a
    resumed training samples what an uninterrupted one does.

    Args:
        num_layers: Number of layers L, embeddings included.
        channels: Channels H of the states.
        seed: Seed of the sampling.
    """

    num_samplings: Tensor

    def __init__(self, *, num_layers: int, channels: int, seed: int = 0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(num_layers, channels))
        self.seed = seed
        self.register_buffer("num_samplings", torch.zeros((), dtype=torch.long))

    def forward(self, states: Tensor) -> Tensor:
        """Return logits (N, L) of layers.

        Args:
            states: States (N, L, H) of N tokens at each layer; they get no gradient.
        """
        return torch.einsum("nlh,lh->nl", states.detach().to(self.weight.dtype), self.weight)

    def sample(self, logits: Tensor, rank: int = 0) -> Tensor:
        """Sample a layer for each token.

        Args:
            logits: Logits (N, L).
            rank: Number of the process, which makes its samples differ from those of others.

        Returns:
            Indices (N,).
        """
        step = int(self.num_samplings)
        seed = self.seed + step * _STEP_STRIDE + rank * _RANK_STRIDE
        generator = torch.Generator().manual_seed(seed)
        if self.training:
            self.num_samplings += 1
        if not len(logits):
            return torch.zeros(0, dtype=torch.long, device=logits.device)
        probabilities = logits.detach().float().softmax(1).cpu()
        return torch.multinomial(probabilities, 1, generator=generator)[:, 0].to(logits.device)
