"""Draw an image with the expression above it and a summary of the targets below it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from vgtoolbox.visualization.drawing import RGBImage, Style, caption_bar, stack
from vgtoolbox.visualization.overlay import LAYERS, Layer, Overlay, draw_overlay
from vgtoolbox.visualization.palette import BACKGROUND_COLOR, GRAY, INCORRECT_COLOR, WHITE


def prediction_panel(
    image: RGBImage,
    record: Mapping[str, Any],
    *,
    score_thr: float,
    alpha: float = 0.4,
    font_file: str | None = None,
    layers: Collection[Layer] = LAYERS,
) -> RGBImage:
    """Draw a prediction over its image, with the expression and a summary.

    Args:
        image: Original image, uint8 RGB (H, W, 3).
        record: Record of `predictions.jsonl`.
        score_thr: Score threshold in [0, 1]; instances above it are drawn.
        alpha: Opacity of masks in [0, 1].
        font_file: Path of a font file. If `None`, DejaVu Sans is used (see `text.load_font`).
        layers: Layers to draw over the image.
    """
    overlay = Overlay.from_prediction(record, score_thr=score_thr)
    drawn = draw_overlay(image, overlay, alpha=alpha, font_file=font_file, layers=layers)
    style = Style.for_size((drawn.shape[0], drawn.shape[1]), font_file)
    title = caption_bar(drawn.shape[1], quoted(record["expression"]), style)
    text = f"{describe_targets(overlay, record['no_target'])} · existence {record['existence']:.2f}"
    return stack([title, drawn, note_bar(drawn.shape[1], text, style, record["no_target"])])


def target_panel(
    image: RGBImage, overlay: Overlay, *, expression: str, font_file: str | None = None
) -> RGBImage:
    """Draw ground truth over its image, with the expression and the number of targets.

    Args:
        image: Image, uint8 RGB (H, W, 3).
        overlay: Targets in the frame of `image`.
        expression: Text of the expression.
        font_file: Path of a font file. If `None`, DejaVu Sans is used (see `text.load_font`).
    """
    drawn = draw_overlay(image, overlay, font_file=font_file)
    style = Style.for_size((drawn.shape[0], drawn.shape[1]), font_file)
    title = caption_bar(drawn.shape[1], quoted(expression), style)
    no_target = len(overlay.boxes_xyxy) == 0
    text = f"ground truth: {describe_targets(overlay, no_target)}"
    return stack([title, drawn, note_bar(drawn.shape[1], text, style, no_target)])


def note_bar(width: int, text: str, style: Style, no_target: bool) -> RGBImage:
    """Draw a summary of `width` pixels, with a colored background if there is no target."""
    if no_target:
        return caption_bar(width, text, style, color=WHITE, background=INCORRECT_COLOR)
    return caption_bar(width, text, style, color=GRAY, background=BACKGROUND_COLOR)


def describe_targets(overlay: Overlay, no_target: bool) -> str:
    """Return the number of targets in words."""
    if no_target:
        return "no target"
    count = len(overlay.boxes_xyxy)
    if count == 0:
        return "a mask without instances"
    return "1 target" if count == 1 else f"{count} targets"


def quoted(expression: str) -> str:
    """Return an expression in quotation marks, which separate it from other text in an image."""
    return f"“{expression}”"
