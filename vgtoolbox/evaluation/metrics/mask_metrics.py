"""Metrics of the merged mask: RES and GRES."""

from __future__ import annotations

from typing import Any

from vgtoolbox.evaluation.functional import (
    GresProtocol,
    MaskRow,
    ResProtocol,
    gres_metrics,
    res_metrics,
)
from vgtoolbox.evaluation.metrics.base import GroundingMetric
from vgtoolbox.evaluation.metrics.sample_reader import Fields, Frame, mask_row, required
from vgtoolbox.registry import METRICS


@METRICS.register_module()
class RESMetric(GroundingMetric[MaskRow]):
    """`mIoU`, `oIoU` and `Pr@X` of the merged mask.

    Args:
        protocol: "refcoco", or "lisa" (ReasonSeg's `gIoU` and `cIoU`).
        frame: See `GroundingMetric`.
        prefix: See `GroundingMetric`.
    """

    default_prefix = "res"

    def __init__(
        self,
        *,
        protocol: ResProtocol = "refcoco",
        frame: Frame = "original",
        prefix: str | None = None,
    ) -> None:
        super().__init__(frame=frame, prefix=prefix)
        if protocol not in ("refcoco", "lisa"):
            raise ValueError(f"protocol must be 'refcoco' or 'lisa', got {protocol!r}")
        self.protocol: ResProtocol = protocol

    @property
    def settings(self) -> dict[str, Any]:
        """The choices behind the values."""
        return {**super().settings, "protocol": self.protocol}

    def read_row(self, sample: Fields) -> MaskRow:
        """Return the pixel counts of the merged mask against the union of the targets."""
        return mask_row(sample, self.frame)

    def compute_metrics(self, results: list[MaskRow]) -> dict[str, float]:
        """Return the values in percent."""
        return res_metrics(results, protocol=self.protocol)


@METRICS.register_module()
class GRESMetric(GroundingMetric[MaskRow]):
    """`gIoU`, `cIoU`, `N-acc`, `T-acc` and `Pr@X` of the merged mask and the no-target decision.

    The decision is the sample's `pred_no_target`, whatever its mask holds.

    Args:
        protocol: "rela" as gRefCOCO's evaluator, or "gsva", which credits rejected targets.
        frame: See `GroundingMetric`.
        prefix: See `GroundingMetric`.
    """

    default_prefix = "gres"

    def __init__(
        self,
        *,
        protocol: GresProtocol = "rela",
        frame: Frame = "original",
        prefix: str | None = None,
    ) -> None:
        super().__init__(frame=frame, prefix=prefix)
        if protocol not in ("rela", "gsva"):
            raise ValueError(f"protocol must be 'rela' or 'gsva', got {protocol!r}")
        self.protocol: GresProtocol = protocol

    @property
    def settings(self) -> dict[str, Any]:
        """The choices behind the values."""
        return {**super().settings, "protocol": self.protocol}

    def read_row(self, sample: Fields) -> MaskRow:
        """Return the pixel counts and both no-target flags."""
        required(sample, "pred_no_target")
        return mask_row(sample, self.frame)

    def compute_metrics(self, results: list[MaskRow]) -> dict[str, float]:
        """Return the values in percent."""
        return gres_metrics(results, protocol=self.protocol)
