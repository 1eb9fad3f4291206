"""One row a sample: what was asked, what was answered, how good it is and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from vgtoolbox.evaluation.error_analysis.error_types import (
    ErrorType,
    classify_box_errors,
    classify_mask_error,
)
from vgtoolbox.evaluation.error_analysis.words import WORD_KINDS, expression_words, word_kinds
from vgtoolbox.evaluation.functional import BoxRow, MaskRow, grec_counts, ranked_box_ious
from vgtoolbox.evaluation.metrics.sample_reader import Fields, box_row, mask_row
from vgtoolbox.structures import PUBLISHED_SCORE_THR

Breakdown = dict[str, dict[str, Counter[ErrorType]]]


@dataclass(frozen=True, kw_only=True)
class AnswerRule:
    """Which boxes are the answer, and when they are right.

    Attributes:
        keep: Boxes of at least `score_thr` where the prediction claims a target ("score"), or the
            one of the highest score, for benchmarks where there always is one target ("best").
        score_thr: See `keep`.
        iou_thr: See `ErrorType`.
        loose_thr: See `ErrorType`.
    """

    keep: Literal["score", "best"] = "score"
    score_thr: float = PUBLISHED_SCORE_THR
    iou_thr: float = 0.5
    loose_thr: float = 0.1

    def answer(self, sample: Fields) -> BoxRow:
        """Return the boxes of the answer beside the targets."""
        row = box_row(sample, "original")
        if self.keep == "best":
            chosen = row.scores.argsort(descending=True, stable=True)[:1]
        elif sample.get("pred_no_target", False):
            chosen = torch.zeros(0, dtype=torch.long)
        else:
            chosen = (row.scores.double() >= self.score_thr).nonzero()[:, 0]
        return BoxRow(
            boxes_xyxy=row.boxes_xyxy[chosen],
            scores=torch.ones(len(chosen)),
            target_boxes_xyxy=row.target_boxes_xyxy,
        )


@dataclass(frozen=True, kw_only=True)
class SampleResult:
    """A sample as a row of a table; None where the prediction or the annotation lacks it."""

    sample_id: str
    image: str
    expression: str
    targets: int
    smallest_target: float | None
    """Share of the image that the box of the smallest target covers."""
    pred_no_target: bool
    existence: float
    top_score: float | None
    answered_boxes: int
    best_box_iou: float | None
    """IoU of the box of highest score with the first target."""
    box_f1: float
    """Of the answer's boxes at `iou_thr`, by IoU."""
    intersection: int | None
    pred_area: int | None
    target_area: int | None
    mask_iou: float | None
    """gIoU's term: of a rejected target 0, of a no-target sample 1 if rejected and 0 if not."""
    verdict: ErrorType

    def as_row(self) -> dict[str, Any]:
        """Return plain values by column."""
        return {**asdict(self), "verdict": self.verdict.value}

    @property
    def quality(self) -> tuple[float, float, float]:
        """The lower, the worse: a confident mistake is worse than one in doubt."""
        overlap = self.box_f1 if self.mask_iou is None else self.mask_iou
        claimed = 1 - self.existence if self.pred_no_target else self.existence
        return (overlap, self.box_f1, -claimed)


def sample_result(sample: Fields, rule: AnswerRule) -> SampleResult:
    """Judge one sample, from `scoring.joined_samples`."""
    everything, answer = box_row(sample, "original"), rule.answer(sample)
    masks = _mask_row(sample)
    count = grec_counts(answer, match="iou", iou_thr=rule.iou_thr)
    ranked = [] if everything.no_target else ranked_box_ious(everything).tolist()
    return SampleResult(
        sample_id=str(sample["sample_id"]),
        image=str(sample["img_path"]),
        expression=sample["expression"],
        targets=count.targets,
        smallest_target=_smallest_share(everything.target_boxes_xyxy, sample["ori_shape"]),
        pred_no_target=bool(sample["pred_no_target"]),
        existence=float(sample["pred_existence"]),
        top_score=float(everything.scores.max()) if len(everything.scores) else None,
        answered_boxes=count.kept,
        best_box_iou=ranked[0] if ranked else None,
        box_f1=count.f1,
        intersection=None if masks is None else masks.intersection,
        pred_area=None if masks is None else masks.pred_area,
        target_area=None if masks is None else masks.target_area,
        mask_iou=None if masks is None else _mask_iou(masks),
        verdict=_judge(sample, answer, everything, masks, rule),
    )


def _judge(
    sample: Fields, answer: BoxRow, everything: BoxRow, masks: MaskRow | None, rule: AnswerRule
) -> ErrorType:
    if masks is not None and len(everything.boxes_xyxy) == 0:
        return classify_mask_error(
            sample["pred_merged_mask"],
            sample["gt_instances_ori"]["masks"],
            iou_thr=rule.iou_thr,
            rejected=bool(sample["pred_no_target"]),
        )
    return classify_box_errors(
        answer.boxes_xyxy,
        answer.target_boxes_xyxy,
        iou_thr=rule.iou_thr,
        loose_thr=rule.loose_thr,
    )


def _mask_row(sample: Fields) -> MaskRow | None:
    """Compare the masks where both sides have some."""
    targets = sample["gt_instances_ori"]
    if "pred_merged_mask" not in sample or len(targets["masks"]) != len(targets["boxes_xyxy"]):
        return None
    return mask_row(sample, "original")


def _mask_iou(row: MaskRow) -> float:
    if row.no_target:
        return float(row.pred_no_target)
    return 0.0 if row.pred_no_target else row.iou


def _smallest_share(boxes_xyxy: Tensor, size: tuple[int, int]) -> float | None:
    if not len(boxes_xyxy):
        return None
    areas = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).prod(1)
    return float(areas.min()) / (size[0] * size[1])


# --- by kinds of samples --------------------------------------------------------------------------


def _bucket(edges: Sequence[float], names: Sequence[str]) -> Callable[[float], str]:
    """Return the name of the range in which a value lies; an edge belongs to the upper one."""
    return lambda value: names[sum(value >= edge for edge in edges)]


_TARGETS = ("0", "1", "2", "3 or more")
_SIZES = ("under 1 %", "1 to 5 %", "5 to 20 %", "over 20 %")
_LENGTHS = ("1 to 3 words", "4 to 6 words", "7 to 10 words", "over 10 words")
_size_name = _bucket((0.01, 0.05, 0.2), _SIZES)
_length_name = _bucket((4, 7, 11), _LENGTHS)

_ASPECTS: Mapping[str, tuple[Sequence[str], Callable[[SampleResult], Iterable[str]]]] = {
    "all": (("all",), lambda _: ["all"]),
    "number of targets": (_TARGETS, lambda outcome: [_TARGETS[min(outcome.targets, 3)]]),
    "smallest target, of the image": (
        _SIZES,
        lambda o: [] if o.smallest_target is None else [_size_name(o.smallest_target)],
    ),
    "length of the expression": (
        _LENGTHS,
        lambda outcome: [_length_name(len(expression_words(outcome.expression)))],
    ),
    "words of": ((*WORD_KINDS, "none"), lambda outcome: word_kinds(outcome.expression)),
}


def break_down(outcomes: Iterable[SampleResult]) -> Breakdown:
    """Count the verdicts of each kind of sample, for each aspect by which samples differ.

    An expression with words of two sorts counts in both; kinds without a sample are left out.
    """
    outcomes = list(outcomes)
    table: Breakdown = {}
    for aspect, (names, kinds_of) in _ASPECTS.items():
        counts: dict[str, Counter[ErrorType]] = {name: Counter() for name in names}
        for outcome in outcomes:
            for kind in kinds_of(outcome):
                counts[kind][outcome.verdict] += 1
        table[aspect] = {name: count for name, count in counts.items() if count}
    return table


def worst(outcomes: Iterable[SampleResult], number: int) -> list[SampleResult]:
    """Return the worst samples that are not correct, the worst first."""
    wrong = [outcome for outcome in outcomes if outcome.verdict is not ErrorType.CORRECT]
    return sorted(wrong, key=lambda outcome: (outcome.quality, outcome.sample_id))[:number]
