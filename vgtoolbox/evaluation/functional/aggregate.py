"""Percentages and sums shared by all metrics: exact, and independent of the order of samples."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence


def percent(part: float, whole: float) -> float:
    """Return 100 * part / whole, or 0 if `whole` is 0 (a split without such samples)."""
    return 100.0 * part / whole if whole else 0.0


def mean(values: Sequence[float]) -> float:
    """Return the mean of `values`, or 0 if there are none.

    `math.fsum` rounds once, at the end, so the mean depends neither on the order of the samples nor
    on the number of processes that they came from.
    """
    return math.fsum(values) / len(values) if values else 0.0


def mean_percent(values: Sequence[float]) -> float:
    """Return 100 * the mean of `values`, or 0 if there are none."""
    return 100.0 * mean(values)


def precision_at(values: Sequence[float], thresholds: Sequence[float]) -> dict[str, float]:
    """Return `Pr@X`: the share of values that reach each threshold, in percent."""
    return {f"Pr@{x:g}": percent(sum(v >= x for v in values), len(values)) for x in thresholds}


def existence_accuracy(decisions: Iterable[tuple[bool, bool]]) -> dict[str, float]:
    """Return `N-acc` and `T-acc` of the no-target decisions, in percent.

    Args:
        decisions: Pair (annotation, prediction) of each sample; `True` means no target.

    Returns:
        N-acc, the share of no-target samples that were rejected, and T-acc, the share of target
        samples that were not; 0 if a split contains no such sample.
    """
    counts = Counter((bool(truth), bool(decision)) for truth, decision in decisions)
    no_target = counts[True, True] + counts[True, False]
    target = counts[False, False] + counts[False, True]
    return {
        "N-acc": percent(counts[True, True], no_target),
        "T-acc": percent(counts[False, False], target),
    }
