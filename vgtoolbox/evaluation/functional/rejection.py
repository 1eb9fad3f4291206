"""When a prediction says that the expression names nothing."""

from __future__ import annotations

from typing import Literal

from vgtoolbox.evaluation.functional.rows import MaskRow

Rejection = Literal["mask", "decision"]


def is_rejected(row: MaskRow, rejection: Rejection) -> bool:
    """Return whether the prediction rejects the expression.

    Args:
        row: One sample.
        rejection: "mask": the predicted mask holds no pixel; "decision": the model says so.
    """
    if rejection == "mask":
        return row.pred_area == 0
    if rejection == "decision":
        return row.pred_no_target
    raise ValueError(f"rejection must be 'mask' or 'decision', got {rejection!r}")
