"""Transforms that run other transforms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmengine.dataset import Compose

from vgtoolbox.datasets.transforms.sample import (
    Results,
    Variant,
    check_variant,
)
from vgtoolbox.datasets.transforms.text import contains_position, names_position
from vgtoolbox.registry import TRANSFORMS
from vgtoolbox.utils.choices import check_fraction

Step = Mapping[str, Any] | Callable[[Results], Results]


@TRANSFORMS.register_module()
class RandomApply:
    """Run transforms with a probability, optionally only if the expression names no position.

    A crop changes which object is in the middle or at the top, so such expressions need the whole
    image.

    Args:
        steps: Transforms, run in order.
        prob: Probability of running them.
        spare_positions: Rule for skipping samples whose expression names a position: "corrected"
            looks for whole words, "published" (EEVG, PLVL) for letters, so that "laptop" counts as
            "top". If `None`, no samples are skipped.
    """

    def __init__(
        self, steps: Sequence[Step], *, prob: float = 0.5, spare_positions: Variant | None = None
    ) -> None:
        check_fraction("prob", prob)
        if spare_positions is not None:
            check_variant("spare_positions", spare_positions)
        self.steps = build_steps(steps)
        self.prob = prob
        self.spare_positions = spare_positions

    def __call__(self, results: Results) -> Results:
        """Run the steps, or return the sample unchanged."""
        if self._is_spared(results) or results["rng"].random() >= self.prob:
            return results
        return self.steps(results)

    def _is_spared(self, results: Results) -> bool:
        if self.spare_positions is None or "expression" not in results:
            return False
        names = names_position if self.spare_positions == "corrected" else contains_position
        return names(results["expression"])


@TRANSFORMS.register_module()
class AddView:
    """Add a second image of the same sample to `results`, for a second encoder.

    The steps work on a copy: their changes to boxes and masks are not kept, and the mapping to the
    original frame remains that of `image`. `PackGroundingInputs(views=[key])` packs the new image.

    Args:
        key: Key of the new image (3, H, W).
        steps: Transforms that create it from the current `image`.
    """

    def __init__(self, key: str, steps: Sequence[Step]) -> None:
        self.key = key
        self.steps = build_steps(steps)

    def __call__(self, results: Results) -> Results:
        """Add the view."""
        if self.key in results:
            raise ValueError(f"key must be new to the sample, got the existing {self.key!r}")
        view = self.steps({"image": results["image"], "rng": results.get("rng")})
        results[self.key] = view["image"]
        return results


def build_steps(steps: Sequence[Step]) -> Compose:
    """Build transforms from our registry, independent of mmengine's default scope."""
    return Compose([TRANSFORMS.build(s) if isinstance(s, Mapping) else s for s in steps])
