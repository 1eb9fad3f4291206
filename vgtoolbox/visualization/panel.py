"""A picture with words: the expression above it, what was found below it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from vgtoolbox.visualization.drawing import RGBImage, Style, caption_bar, stack
from vgtoolbox.visualization.overlay import LAYERS, Layer, Overlay, draw_overlay
from vgtoolbox.visualization.palette import GREY, INCORRECT, PAPER, WHITE


def prediction_panel(
    image: RGBImage,
    record: Mapping[str, Any],
    *,
    score_thr: float,
    alpha: float = 0.4,
    font_file: str | None = None,
    layers: Collection[Layer] = LAYERS,
) -> RGBImage:
    """Draw one line of `predictions.jsonl` over its picture, and say in words what it says.

    Args:
        image: uint8 RGB (H, W, 3), the original image.
        record: As `predictions.jsonl` has them.
        score_thr: Instances above it are drawn.
        alpha: How much the masks cover, 0 to 1.
        font_file: See `text.load_font`.
        layers: What is drawn over the picture.
    """
    overlay = Overlay.of_prediction(record, score_thr=score_thr)
    drawn = draw_overlay(image, overlay, alpha=alpha, font_file=font_file, layers=layers)
    style = Style.for_size((drawn.shape[0], drawn.shape[1]), font_file)
    title = caption_bar(drawn.shape[1], quoted(record["expression"]), style)
    text = f"{count_targets(overlay, record['no_target'])} · existence {record['existence']:.2f}"
    return stack([title, drawn, note_bar(drawn.shape[1], text, style, record["no_target"])])


def target_panel(
    image: RGBImage, overlay: Overlay, *, expression: str, font_file: str | None = None
) -> RGBImage:
    """Draw the ground truth of an expression over its picture, and say how many targets it has."""
    drawn = draw_overlay(image, overlay, font_file=font_file)
    style = Style.for_size((drawn.shape[0], drawn.shape[1]), font_file)
    title = caption_bar(drawn.shape[1], quoted(expression), style)
    no_target = len(overlay.boxes_xyxy) == 0
    text = f"ground truth: {count_targets(overlay, no_target)}"
    return stack([title, drawn, note_bar(drawn.shape[1], text, style, no_target)])


def note_bar(width: int, text: str, style: Style, no_target: bool) -> RGBImage:
    """Say what was found; that it is nothing stands out."""
    if no_target:
        return caption_bar(width, text, style, color=WHITE, background=INCORRECT)
    return caption_bar(width, text, style, color=GREY, background=PAPER)


def count_targets(overlay: Overlay, no_target: bool) -> str:
    """Say in words how many targets there are."""
    if no_target:
        return "no target"
    count = len(overlay.boxes_xyxy)
    if count == 0:
        return "a mask, no instance"
    return "1 target" if count == 1 else f"{count} targets"


def quoted(expression: str) -> str:
    """Set an expression in quotation marks, so that the words of the picture are told from it."""
    return f"“{expression}”"
