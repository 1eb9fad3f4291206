"""REINFORCE loss of a policy that selects layers (UGround, arXiv 2510.03853, section 3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor, nn

from vgtoolbox.registry import MODELS
from vgtoolbox.utils.choices import check_choice

PolicyForm = Literal["per_image", "per_batch", "per_token"]
Baseline = Literal["ema", "critic"]


@MODELS.register_module()
class LayerPolicyLoss(nn.Module):
    """Increase the probability of layers whose similarity maps are better than a baseline.

    Args:
        weight: Weight of the policy term: 0.1 with "per_image" in the published runs, 0.4 with
            "per_batch" in the newest published code.
        form: Rewards. "per_image", of the published runs: an image's reward, the negated sum of the
            losses of its masks, applies to all tokens of the batch, image by image. "per_batch", of
            the newest published code: the sum over all images. "per_token": each token has the
            negated loss of its own mask, and the baseline is updated after its use, so that a
            reward does not lower its own advantage.
        baseline: Baseline of the reward: "ema", an average over the course of training; or
            "critic", a network on the mean probabilities of the layers, trained with weight 1.
        momentum: Part of the average that remains in each update.
        num_layers: Number of layers L, for the critic.
        hidden_channels: Hidden channels of the critic.
    """

    average: Tensor

    def __init__(
        self,
        *,
        weight: float = 0.1,
        form: PolicyForm = "per_image",
        baseline: Baseline = "ema",
        momentum: float = 0.9,
        num_layers: int | None = None,
        hidden_channels: int = 128,
    ) -> None:
        super().__init__()
        check_choice("form", form, get_args(PolicyForm))
        check_choice("baseline", baseline, get_args(Baseline))
        self.weight = weight
        self.form = form
        self.baseline = baseline
        self.momentum = momentum
        # In the state dict, unlike in the published code, so that a resumed training continues it.
        self.register_buffer("average", torch.zeros((), dtype=torch.float64))
        if baseline == "critic":
            if num_layers is None:
                raise ValueError("num_layers must be given for baseline 'critic', got None")
            self.critic = nn.Sequential(
                nn.Linear(num_layers, hidden_channels), nn.ReLU(), nn.Linear(hidden_channels, 1)
            )

    def forward(
        self,
        log_probs: Tensor,
        token_losses: Tensor,
        image: Tensor,
        probabilities: Tensor,
    ) -> dict[str, Tensor]:
        """Return `loss_policy` and values that are only logged: `reward`, `baseline`, `advantage`.

        Args:
            log_probs: Logarithms (N,) of the probabilities of the sampled layers.
            token_losses: Losses (N,) of the similarity maps of the tokens.
            image: Index (N,) of the image of each token, ascending.
            probabilities: Probabilities (N, L) of the layers.
        """
        if not len(log_probs):  # 0 with a gradient for every weight
            zero = log_probs.sum() + sum(p.sum() for p in self.parameters()) * 0.0
            return {"loss_policy": zero}
        losses = token_losses.detach()
        mean = probabilities.detach().mean(0)
        if self.form == "per_token":
            loss, logged = self._per_token(log_probs, -losses, mean)
        else:
            groups: Sequence[Tensor] = [losses]
            if self.form == "per_image":
                counts = torch.unique_consecutive(image, return_counts=True)[1]
                groups = losses.split(counts.tolist())
            terms, logged = [], {}
            for group in groups:
                term, logged = self._shared(log_probs, -group.sum(), mean)
                terms.append(term)
            loss = torch.stack(terms).mean()
        return {"loss_policy": self.weight * loss, **logged}

    def _shared(
        self, log_probs: Tensor, reward: Tensor, mean: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the term of one reward for all tokens; the average is updated before its use."""
        if self.baseline == "critic":
            value = self.critic(mean.float())[0]
            advantage = reward - value.detach()
            loss = -(advantage * log_probs).mean() + (value - reward) ** 2
            return loss, _logged(reward, value, advantage)
        self._update(reward)
        advantage = reward - self.average.to(reward)
        return -(advantage * log_probs).mean(), _logged(reward, self.average, advantage)

    def _per_token(
        self, log_probs: Tensor, rewards: Tensor, mean: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the term of the rewards (N,) of the tokens."""
        if self.baseline == "critic":
            value = self.critic(mean.float())[0]
            advantage = rewards - value.detach()
            loss = -(advantage * log_probs).mean() + ((value - rewards) ** 2).mean()
            return loss, _logged(rewards.mean(), value, advantage.mean())
        baseline = self.average.to(rewards)
        advantage = rewards - baseline
        if self.training:
            self._update(rewards.mean())
        return -(advantage * log_probs).mean(), _logged(rewards.mean(), baseline, advantage.mean())

    def _update(self, reward: Tensor) -> None:
        """Move the average toward the mean of the reward over all processes."""
        total = reward.detach().double().clone()
        all_reduce(total)
        total = total / get_world_size()
        self.average.mul_(self.momentum).add_((1 - self.momentum) * total.to(self.average))


def _logged(reward: Tensor, baseline: Tensor, advantage: Tensor) -> dict[str, Tensor]:
    values = {"reward": reward, "baseline": baseline, "advantage": advantage}
    return {name: value.detach().float().clone() for name, value in values.items()}
