"""Sums that all metrics share: in percent, exact, and the same in every order of the samples."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence


def percent(part: float, whole: float) -> float:
    """Return 100 * part / whole, and 0 of an empty whole: a split without such samples."""
    return 100.0 * part / whole if whole else 0.0


def mean(values: Sequence[float]) -> float:
    """Return the mean of `values`, and 0 of no value.

    `math.fsum` rounds once, at the end, so the mean depends neither on the order of the samples nor
    on the number of processes that they came from.
    """
    return math.fsum(values) / len(values) if values else 0.0


def mean_percent(values: Sequence[float]) -> float:
    """Return 100 * the mean of `values`, and 0 of no value."""
    return 100.0 * mean(values)


def precision_at(values: Sequence[float], thresholds: Sequence[float]) -> dict[str, float]:
    """Return `Pr@X`: the share of values that reach each threshold, in percent."""
    return {f"Pr@{x:g}": percent(sum(v >= x for v in values), len(values)) for x in thresholds}


def existence_accuracy(decisions: Iterable[tuple[bool, bool]]) -> dict[str, float]:
    """Return `N-acc` and `T-acc` of the no-target decisions, in percent.

    Args:
        decisions: (what the annotation says, what the model says) for each sample; true: no target.

    Returns:
        N-acc, the share of no-target samples that were rejected, and T-acc, the share of target
        samples that were not; 0 where a split holds none of them.
    """
    counts = Counter((bool(truth), bool(decision)) for truth, decision in decisions)
    no_target = counts[True, True] + counts[True, False]
    target = counts[False, False] + counts[False, True]
    return {
        "N-acc": percent(counts[True, True], no_target),
        "T-acc": percent(counts[False, False], target),
    }
