"""REINFORCE loss of a policy that selects layers (UGround, arXiv 2510.03853, section 3.4)."""

from __future__ import annotations

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

        Every process has to call this once per iteration, also without any token.

        Args:
            log_probs: Logarithms (N,) of the probabilities of the sampled layers.
            token_losses: Losses (N,) of the similarity maps of the tokens.
            image: Index (N,) of the image of each token, ascending.
            probabilities: Probabilities (N, L) of the layers.
        """
        rewards = -token_losses.detach()
        if self.form == "per_image":
            loss, logged = self._per_image(log_probs, rewards, image, probabilities)
        else:
            loss, logged = self._over_processes(log_probs, rewards, probabilities)
        if not len(log_probs):  # every weight has a gradient in every process
            loss = log_probs.sum() + sum(p.sum() for p in self.parameters()) * 0.0
        return {"loss_policy": self.weight * loss, **logged}

    def _per_image(
        self, log_probs: Tensor, rewards: Tensor, image: Tensor, probabilities: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the mean of the terms of the images; processes are independent, as published."""
        counts = torch.unique_consecutive(image, return_counts=True)[1]
        terms, logged = [log_probs.sum() * 0.0] if not len(image) else [], {}
        for group in rewards.split(counts.tolist()):
            reward = group.sum()
            value = self._value(probabilities)
            if value is None:
                self._update(reward)
                value = self.average.to(reward)
            advantage = reward - value.detach()
            terms.append(-(advantage * log_probs).mean() + self._critic_loss(value, reward))
            logged = _logged(reward, value, advantage)
        return torch.stack(terms).mean(), logged

    def _over_processes(
        self, log_probs: Tensor, rewards: Tensor, probabilities: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the term of all tokens with rewards that are comparable between processes.

        With "per_batch" the reward is the sum of a process, and the average moves toward the mean
        of the processes weighted by their numbers of tokens; with "per_token" toward that of all
        tokens. Divided by the mean number of tokens of a process, the gradients of several
        processes are those of one with the whole batch.
        """
        count = len(log_probs)
        if self.form == "per_batch":
            rewards = rewards.sum().expand(count)
        totals = rewards.new_tensor([0.0, float(count)])
        totals[0] = rewards.sum()
        all_reduce(totals)
        mean = totals[0] / totals[1].clamp(min=1.0)
        value = self._value(probabilities) if count else None
        if value is None:
            if self.form == "per_batch":
                self._update(mean, is_any=totals[1] > 0)
            value = self.average.to(mean).clone()
            if self.form == "per_token":
                self._update(mean, is_any=totals[1] > 0)
        advantage = rewards - value.detach()
        loss = -(advantage * log_probs).sum() / (totals[1] / get_world_size()).clamp(min=1.0)
        if count:
            loss = loss + self._critic_loss(value, rewards).mean()
        return loss, _logged(mean, value, mean - value.detach())

    def _value(self, probabilities: Tensor) -> Tensor | None:
        """Return the prediction of the critic, or `None` if the baseline is the average."""
        if self.baseline == "ema":
            return None
        return self.critic(probabilities.detach().mean(0).float())[0]

    def _critic_loss(self, value: Tensor, reward: Tensor) -> Tensor:
        if self.baseline == "ema":
            return torch.zeros_like(reward)
        return (value - reward) ** 2

    def _update(self, reward: Tensor, *, is_any: Tensor | None = None) -> None:
        """Move the average toward a reward, unless there is no token in any process."""
        if not self.training:
            return
        target = self.momentum * self.average + (1 - self.momentum) * reward.to(self.average)
        self.average.copy_(target if is_any is None else torch.where(is_any, target, self.average))


def _logged(reward: Tensor, baseline: Tensor, advantage: Tensor) -> dict[str, Tensor]:
    values = {"reward": reward, "baseline": baseline, "advantage": advantage}
    return {name: value.detach().float().clone() for name, value in values.items()}
