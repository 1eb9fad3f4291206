"""Ref-ZOM: one, many or zero targets (Hu et al., DMMI, ICCV 2023)."""

from __future__ import annotations

from collections.abc import Sequence

from vgtoolbox.evaluation.functional.aggregate import percent
from vgtoolbox.evaluation.functional.rejection import Rejection, is_rejected
from vgtoolbox.evaluation.functional.res import res_metrics
from vgtoolbox.evaluation.functional.rows import MaskRow


def refzom_metrics(rows: Sequence[MaskRow], *, rejection: Rejection = "mask") -> dict[str, float]:
    """Return `mIoU`, `oIoU`, `Pr@X` over target expressions and `Acc` over the others, in percent.

    Args:
        rows: All samples of a split. The mask of a target that was rejected counts as it is.
        rejection: What makes a no-target sample correct; "mask" is DMMI's, "decision" InstanceVG's.
    """
    negatives = [row for row in rows if row.no_target]
    rejected = sum(is_rejected(row, rejection) for row in negatives)
    return {**res_metrics(rows), "Acc": percent(rejected, len(negatives))}
