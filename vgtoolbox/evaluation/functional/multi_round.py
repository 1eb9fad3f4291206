"""Multi-round referring segmentation (Wang et al., SegLLM, ICLR 2025)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

from vgtoolbox.evaluation.functional.aggregate import percent
from vgtoolbox.evaluation.functional.rows import RoundRow

# SegLLM sums fractions of its 1024 x 1024 grid and adds 1e-10 to that of the union.
_UNION_EPS = 1e-10 * 1024**2


def multi_round_metrics(rows: Iterable[RoundRow]) -> dict[int, dict[str, float]]:
    """Return `oIoU`, `mIoU` and `P@0.5` (box IoU > 0.5) in percent by round, counted from 0.

    There is no mean over rounds: conversations differ in length, so late rounds have few samples.
    """
    rounds: defaultdict[int, list[RoundRow]] = defaultdict(list)
    for row in rows:
        rounds[row.round].append(row)
    return {index: _round_metrics(rounds[index]) for index in sorted(rounds)}


def _round_metrics(rows: Sequence[RoundRow]) -> dict[str, float]:
    """Aggregate one round with the small constants that SegLLM adds to denominators."""
    count = len(rows) + 1e-10
    intersection = sum(row.intersection for row in rows)
    union = sum(row.union for row in rows)
    return {
        "oIoU": percent(intersection, union + _UNION_EPS),
        "mIoU": percent(math.fsum(r.intersection / (r.union + 1e-4) for r in rows), count),
        "P@0.5": percent(sum(r.box_iou > 0.5 for r in rows), count),
    }
