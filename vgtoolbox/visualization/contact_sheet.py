"""Draw a contact sheet of predictions, each next to its ground truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmengine.structures import InstanceData

from vgtoolbox.structures import PUBLISHED_SCORE_THR, box_iou, intersection_and_union, merge_rles
from vgtoolbox.visualization.drawing import RGBImage, Style, caption_bar, side_by_side, stack
from vgtoolbox.visualization.overlay import Overlay, draw_overlay
from vgtoolbox.visualization.palette import (
    BACKGROUND_COLOR,
    CORRECT_COLOR,
    GRAY,
    INCORRECT_COLOR,
    TEXT_COLOR,
    WHITE,
)
from vgtoolbox.visualization.panel import describe_targets, quoted

_CAPTION_LINES = 2
_GAP = 4
# Low, so that the colors that expressions mention remain visible.
_ALPHA = 0.2


@dataclass(frozen=True)
class SheetEntry:
    """One expression of a contact sheet.

    Attributes:
        image: Original image, uint8 RGB (H, W, 3).
        targets: Ground truth in the original frame, `gt_instances_ori`.
        record: Record of `predictions.jsonl`.
    """

    image: RGBImage
    targets: InstanceData
    record: Mapping[str, Any]

    @classmethod
    def from_sample(cls, sample: Mapping[str, Any], record: Mapping[str, Any]) -> SheetEntry:
        """Build an entry from the output of `LoadImage` and `LoadTargets`.

        Args:
            sample: Sample with `image` (3, H, W) uint8, `boxes_ori` and `rles_ori`.
            record: Record of `predictions.jsonl`.
        """
        image = sample["image"].as_subclass(torch.Tensor).permute(1, 2, 0).contiguous().numpy()
        targets = InstanceData(boxes_xyxy=sample["boxes_ori"], masks=sample["rles_ori"])
        return cls(image=image, targets=targets, record=record)

    @property
    def no_target(self) -> bool:
        """Whether the expression has no target in the image."""
        return len(self.targets) == 0

    @property
    def iou(self) -> float:
        """IoU of the merged mask with all targets, or of the top-scoring box without a mask.

        If the prediction or the ground truth has no target, it is 1 if both have none, else 0.
        """
        if self.record["no_target"] or self.no_target:
            return float(self.record["no_target"] and self.no_target)
        if self.record["merged_mask"] is None:
            return self._box_iou()
        height, width = self.record["size"]
        truth = merge_rles(self.targets.masks, (height, width))
        intersection, union = intersection_and_union(self.record["merged_mask"], truth)
        return intersection / union if union else 0.0

    def is_correct(self, iou_thr: float = 0.5) -> bool:
        """Return whether the IoU is at least `iou_thr`."""
        return self.iou >= iou_thr

    def _box_iou(self) -> float:
        scores = self.record["scores"]
        if not scores:
            return 0.0
        best = torch.tensor([self.record["boxes_xyxy"][int(np.argmax(scores))]])
        return float(box_iou(best, self.targets.boxes_xyxy.float()).max())


def draw_contact_sheet(
    entries: Sequence[SheetEntry],
    *,
    columns: int = 4,
    side: int = 256,
    score_thr: float = PUBLISHED_SCORE_THR,
    font_file: str | None = None,
) -> RGBImage:
    """Draw pairs of (ground truth | prediction), each marked as correct or incorrect.

    Args:
        entries: Entries of the sheet, at least one.
        columns: Number of pairs per row.
        side: Longer side of each image in pixels.
        score_thr: Score threshold in [0, 1]; instances above it are drawn.
        font_file: Path of a font file. If `None`, DejaVu Sans is used (see `text.load_font`).

    Raises:
        ValueError: `entries` is empty.
    """
    if not entries:
        raise ValueError("entries must contain at least one prediction, got none")
    style = Style(line=max(2, side // 160), font=max(11, side // 20), margin=5, font_file=font_file)
    cells = [_draw_cell(entry, side, style, score_thr) for entry in entries]
    columns = min(columns, len(cells))
    rows = [
        side_by_side(cells[i : i + columns], gap=4 * _GAP) for i in range(0, len(cells), columns)
    ]
    # The last row may be shorter; it is aligned to the left.
    width = max(row.shape[1] for row in rows)
    rows = [np.pad(r, ((0, 0), (0, width - r.shape[1]), (0, 0)), constant_values=255) for r in rows]
    sheet = stack([_header(entries, width, style), *rows], gap=4 * _GAP)
    margin = 4 * _GAP
    return np.pad(sheet, ((margin, margin), (margin, margin), (0, 0)), constant_values=255)


def _header(entries: Sequence[SheetEntry], width: int, style: Style) -> RGBImage:
    correct = sum(entry.is_correct() for entry in entries)
    text = (
        "left: ground truth · right: prediction · "
        f"{correct} of {len(entries)} correct (IoU ≥ 0.5, or no target in both)"
    )
    return caption_bar(width, text, style, color=GRAY)


def _draw_cell(entry: SheetEntry, side: int, style: Style, score_thr: float) -> RGBImage:
    """Draw one entry: the expression, both images, and the verdict."""
    factor = side / max(entry.image.shape[:2])
    size = (
        max(1, round(entry.image.shape[0] * factor)),
        max(1, round(entry.image.shape[1] * factor)),
    )
    truth = Overlay.from_targets(entry.targets, (entry.image.shape[0], entry.image.shape[1]))
    found = Overlay.from_prediction(entry.record, score_thr=score_thr)
    halves = [
        _half(entry, truth, size, side, style, no_target=entry.no_target),
        _half(entry, found, size, side, style, no_target=entry.record["no_target"]),
    ]
    pair = side_by_side(halves, gap=_GAP)
    title = _fixed_height_caption(quoted(entry.record["expression"]), pair.shape[1], style)
    return stack([title, pair, _verdict(entry, pair.shape[1], style)])


def _half(
    entry: SheetEntry,
    overlay: Overlay,
    size: tuple[int, int],
    side: int,
    style: Style,
    *,
    no_target: bool,
) -> RGBImage:
    """Draw one of the two images in a square, with the number of targets below it."""
    drawn = draw_overlay(entry.image, overlay, size=size, alpha=_ALPHA, font_file=style.font_file)
    square = np.full((side, side, 3), 241, np.uint8)
    top, left = (side - size[0]) // 2, (side - size[1]) // 2
    square[top : top + size[0], left : left + size[1]] = drawn
    note = caption_bar(side, describe_targets(overlay, no_target), style, color=GRAY, max_lines=1)
    return stack([square, note])


def _fixed_height_caption(text: str, width: int, style: Style) -> RGBImage:
    """Draw a caption at the bottom of a bar for two lines, so that the images of a row align."""
    caption = caption_bar(width, text, style, color=TEXT_COLOR, max_lines=_CAPTION_LINES)
    full = caption_bar(width, "\n".join("M" * width), style, max_lines=_CAPTION_LINES)
    room = np.full((full.shape[0], width, 3), BACKGROUND_COLOR, np.uint8)
    room[-caption.shape[0] :] = caption
    return room


def _verdict(entry: SheetEntry, width: int, style: Style) -> RGBImage:
    """Draw whether the prediction is correct, as a sign and text in addition to the color."""
    correct = entry.is_correct()
    if entry.no_target and not correct:
        verdict = "false positive: no target exists"
    elif entry.record["no_target"] and not correct:
        verdict = "missed: predicted no target"
    else:
        verdict = "correct: no target" if entry.no_target else f"IoU {entry.iou:.2f}"
    background = CORRECT_COLOR if correct else INCORRECT_COLOR
    text = f"{'✓' if correct else '✗'} {verdict}"
    return caption_bar(width, text, style, color=WHITE, background=background, max_lines=1)
