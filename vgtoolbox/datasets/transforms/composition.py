"""Transforms that run others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmengine.dataset import Compose

from vgtoolbox.datasets.transforms.sample import (
    Results,
    Variant,
    check_probability,
    check_variant,
)
from vgtoolbox.datasets.transforms.text import contains_position, names_position
from vgtoolbox.registry import TRANSFORMS

Step = Mapping[str, Any] | Callable[[Results], Results]


@TRANSFORMS.register_module()
class RandomApply:
    """Run some steps with a probability, or not at all where the expression names a position.

    A crop changes what is in the middle or at the top, so it must not follow such words.

    Args:
        steps: Transforms, run in order.
        prob: Probability of running them.
        spare_positions: Leave samples alone whose expression names a position: "clean" by whole
            words, "published" (EEVG, PLVL) by letters, so that "laptop" counts as "top"; None
            spares none.
    """

    def __init__(
        self, steps: Sequence[Step], *, prob: float = 0.5, spare_positions: Variant | None = None
    ) -> None:
        check_probability(prob)
        if spare_positions is not None:
            check_variant("spare_positions", spare_positions)
        self.steps = build_steps(steps)
        self.prob = prob
        self.spare_positions = spare_positions

    def __call__(self, results: Results) -> Results:
        """Run the steps, or leave the sample."""
        if self._is_spared(results) or results["rng"].random() >= self.prob:
            return results
        return self.steps(results)

    def _is_spared(self, results: Results) -> bool:
        if self.spare_positions is None or "expression" not in results:
            return False
        names = names_position if self.spare_positions == "clean" else contains_position
        return names(results["expression"])


@TRANSFORMS.register_module()
class AddView:
    """Make another image of the same sample, for a second encoder: one key more in `results`.

    The steps see a copy; what they do to boxes and masks is not kept, and the way back to the
    original frame remains that of `image`. Hand the key on by `PackGroundingInputs(views=[key])`.

    Args:
        key: Of the new image, (3, H, W).
        steps: Transforms that make it from `image` as it is now.
    """

    def __init__(self, key: str, steps: Sequence[Step]) -> None:
        self.key = key
        self.steps = build_steps(steps)

    def __call__(self, results: Results) -> Results:
        """Add the view."""
        if self.key in results:
            raise ValueError(f"the sample has {self.key!r} already; name the view otherwise")
        view = self.steps({"image": results["image"], "rng": results.get("rng")})
        results[self.key] = view["image"]
        return results


def build_steps(steps: Sequence[Step]) -> Compose:
    """Build transforms from our registry, whatever mmengine's default scope is."""
    return Compose([TRANSFORMS.build(s) if isinstance(s, Mapping) else s for s in steps])
