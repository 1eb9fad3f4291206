"""Decide whether a prediction claims that the expression names something in the image."""

from __future__ import annotations

from typing import Literal, get_args

from vgtoolbox.evaluation.functional.rows import MaskRow
from vgtoolbox.structures import PUBLISHED_SCORE_THR
from vgtoolbox.utils.choices import check_choice

Accept = Literal["decision", "mask", "score"]


def check_accept(accept: str) -> None:
    """Raise `ValueError` unless `accept` is one of the rules in `Accept`."""
    check_choice("accept", accept, get_args(Accept))


def accepts(row: MaskRow, accept: Accept, *, score_thr: float = PUBLISHED_SCORE_THR) -> bool:
    """Return whether the prediction claims a target.

    Args:
        row: Row of one sample.
        accept: Rule. "decision": the model states it (ReLA's head, the [REJ] token of language
            models); "mask": its mask contains a pixel (DMMI, RefSegformer); "score": an instance
            scores above `score_thr` (InstanceVG).
        score_thr: Score threshold of "score". It is exclusive, although that of GREC is inclusive.

    Raises:
        ValueError: `accept` is not a rule, or it is "score" and the prediction has no instances.
    """
    check_accept(accept)
    if accept == "mask":
        return row.pred_area > 0
    if accept == "decision":
        return not row.pred_no_target
    if row.top_score is None:
        raise ValueError(
            "accept='score' needs instance scores, but the prediction has none; use 'mask' or "
            "'decision' for systems without instances"
        )
    return row.top_score > score_thr
