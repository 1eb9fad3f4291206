"""Options shared by several metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vgtoolbox.evaluation.functional import RES_THRESHOLDS, Accept
from vgtoolbox.structures import PUBLISHED_SCORE_THR


@dataclass(kw_only=True, eq=False, repr=False)
class ThresholdOptions:
    """Option of metrics that count the samples with IoU X or more.

    Args:
        thresholds: Values X of `Pr@X` or `Acc@X`.
    """

    thresholds: Sequence[float] = RES_THRESHOLDS


@dataclass(kw_only=True, eq=False, repr=False)
class AcceptOptions:
    """Options of metrics that depend on whether a prediction claims a target.

    Args:
        accept: Rule by which it does: the model's "decision" (`pred_no_target`, regardless of the
            mask), a pixel in its "mask", or an instance with a "score" above `score_thr`.
        score_thr: Score threshold of `accept="score"`.
    """

    accept: Accept = "decision"
    score_thr: float = PUBLISHED_SCORE_THR
