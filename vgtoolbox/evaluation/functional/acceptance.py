"""When a prediction claims that the expression names something in the image."""

from __future__ import annotations

from typing import Literal, get_args

from vgtoolbox.evaluation.functional.rows import MaskRow
from vgtoolbox.structures import PUBLISHED_SCORE_THR

Accept = Literal["decision", "mask", "score"]


def check_accept(accept: str) -> None:
    """Raise ValueError where `accept` is no rule."""
    if accept not in get_args(Accept):
        raise ValueError(f"accept must be one of {list(get_args(Accept))}, got {accept!r}")


def accepts(row: MaskRow, accept: Accept, *, score_thr: float = PUBLISHED_SCORE_THR) -> bool:
    """Return whether the prediction claims a target.

    Args:
        row: One sample.
        accept: "decision": the model says so (ReLA's head, the [REJ] token of language models);
            "mask": its mask holds a pixel (DMMI, RefSegformer); "score": an instance scores above
            `score_thr` (InstanceVG).
        score_thr: Of "score"; not inclusive, although GREC's is.

    Raises:
        ValueError: No such rule, or "score" of a prediction without instances.
    """
    check_accept(accept)
    if accept == "mask":
        return row.pred_area > 0
    if accept == "decision":
        return not row.pred_no_target
    if row.top_score is None:
        raise ValueError("accept='score' needs instance scores, the prediction has none")
    return row.top_score > score_thr
