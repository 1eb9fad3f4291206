"""Drawing primitives: pure functions that return a new uint8 RGB array (H, W, 3).

Boxes are corner pixels (x1, y1, x2, y2) and masks are dense, in the frame of the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from vgtoolbox.visualization.palette import (
    BACKGROUND_COLOR,
    TEXT_COLOR,
    WHITE,
    Color,
    text_color_on,
)
from vgtoolbox.visualization.text import line_height, load_font, wrap_text

RGBImage = NDArray[np.uint8]
DenseMask = NDArray[np.bool_]

# Cost per pixel of covering another label, relative to covering an object.
_LABEL_WEIGHT = 16


@dataclass(frozen=True)
class Style:
    """Sizes of lines and text in pixels.

    Attributes:
        line: Line width of boxes and outlines.
        font: Font size of text.
        margin: Distance between text and the edge of its background.
        font_file: Path of a font file. If `None`, DejaVu Sans is used (see `text.load_font`).
    """

    line: int
    font: int
    margin: int
    font_file: str | None = None

    @classmethod
    def for_size(cls, size: tuple[int, int], font_file: str | None = None) -> Style:
        """Return a style in proportion to an image of `size` (H, W)."""
        side = min(size)
        font = max(11, round(side / 32))
        return cls(max(2, round(side / 240)), font, max(2, font // 4), font_file)


def check_rgb_image(image: RGBImage) -> None:
    """Check that an image is a nonempty uint8 RGB array (H, W, 3).

    Raises:
        ValueError: The data type or the shape differs, or the image has no pixels.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(
            "an image must be a uint8 RGB array (H, W, 3), "
            f"got {image.dtype} of shape {image.shape}"
        )


def resize_rgb_image(image: RGBImage, size: tuple[int, int]) -> RGBImage:
    """Resize an image to `size` (H, W): cubic interpolation to enlarge, area average to shrink."""
    if image.shape[:2] == size:
        return image.copy()
    shrinks = size[0] * size[1] < image.shape[0] * image.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return cv2.resize(image, size[::-1], interpolation=interpolation).astype(np.uint8)


def resize_mask(mask: DenseMask, size: tuple[int, int]) -> DenseMask:
    """Resize a mask (H, W) to `size` for display, with smooth edges and no object lost."""
    if mask.shape == size:
        return mask
    soft = cv2.resize(mask.astype(np.float32), size[::-1], interpolation=cv2.INTER_LINEAR)
    enlarged_by = size[0] / mask.shape[0]
    if enlarged_by > 1:
        soft = cv2.GaussianBlur(soft, (0, 0), sigmaX=enlarged_by / 2)
    smooth = soft >= 0.5
    if smooth.any() or not mask.any():
        return smooth
    return cv2.resize(mask.astype(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST) > 0


def fill_masks(
    image: RGBImage, masks: Sequence[DenseMask], colors: Sequence[Color], *, alpha: float = 0.4
) -> RGBImage:
    """Tint the pixels of masks (H, W); overlaps get the mean of their colors.

    The opacity is the same everywhere, regardless of the number of masks that cover a pixel.

    Args:
        image: Image, uint8 RGB (H, W, 3).
        masks: Masks (H, W), bool.
        colors: One color per mask.
        alpha: Opacity of the tint in [0, 1].
    """
    tint = np.zeros(image.shape, np.float32)
    depth = np.zeros((*image.shape[:2], 1), np.float32)
    for mask, color in zip(masks, colors, strict=True):
        tint[mask] += color
        depth[mask] += 1
    covered = depth[..., 0] > 0
    drawn = image.copy()
    mean = tint[covered] / depth[covered]
    drawn[covered] = np.rint(image[covered] * (1 - alpha) + mean * alpha).astype(np.uint8)
    return drawn


def outline_mask(image: RGBImage, mask: DenseMask, color: Color, *, width: int) -> RGBImage:
    """Draw the contours of a mask (H, W), including those of its holes."""
    drawn = image.copy()
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(drawn, contours, -1, color, width, cv2.LINE_AA)
    return drawn


def draw_box(
    image: RGBImage, box_xyxy: NDArray[np.floating], color: Color, *, width: int
) -> RGBImage:
    """Draw a box with a white border, its whole line inside the image."""
    height, image_width = image.shape[:2]
    limit = np.array([image_width - 1, height - 1] * 2)
    x1, y1, x2, y2 = np.clip(np.rint(box_xyxy), 0, limit).astype(int).tolist()
    canvas = Image.fromarray(image)
    pen = ImageDraw.Draw(canvas)
    # A line wider than half of the box would extend beyond it.
    room = (min(x2 - x1, y2 - y1) + 1) // 2
    if room < width + 2:
        pen.rectangle((x1, y1, x2, y2), outline=color, width=max(1, min(width, room)))
    else:
        pen.rectangle((x1, y1, x2, y2), outline=WHITE, width=width + 2)
        pen.rectangle((x1 + 1, y1 + 1, x2 - 1, y2 - 1), outline=color, width=width)
    return np.array(canvas)


def draw_point(
    image: RGBImage, point_xy: NDArray[np.floating], color: Color, *, radius: int
) -> RGBImage:
    """Draw a point as a disc with a white border; one outside the image moves to its edge."""
    limit = np.array([image.shape[1] - 1, image.shape[0] - 1])
    x, y = np.clip(np.rint(point_xy), 0, limit).astype(int).tolist()
    drawn = image.copy()
    cv2.circle(drawn, (x, y), radius + 1, WHITE, cv2.FILLED, cv2.LINE_AA)
    cv2.circle(drawn, (x, y), radius, color, cv2.FILLED, cv2.LINE_AA)
    return drawn


def label_size(text: str, style: Style) -> tuple[int, int]:
    """Return width and height of a label in pixels."""
    font = load_font(style.font, style.font_file)
    return int(np.ceil(font.getlength(text))) + 2 * style.margin, line_height(font) + style.margin


def place_label(
    box_xyxy: NDArray[np.floating], size: tuple[int, int], occupied: NDArray[np.floating]
) -> tuple[int, int]:
    """Return the position at which a label covers least, preferably above its box.

    Args:
        box_xyxy: Box (4,) of the labeled object.
        size: Width and height of the label.
        occupied: Cost (H, W) of covering each pixel.

    Returns:
        Left and top of the label. The label is inside the image unless it is larger than it.
    """
    height, width = occupied.shape
    label_width, label_height = size
    x1, y1, x2, y2 = np.rint(box_xyxy).astype(int).tolist()
    right, above = x2 - label_width, y1 - label_height
    candidates = [
        *((x1, above), (right, above), (x1, y2), (right, y2)),
        *((x2, y1), (x1 - label_width, y1), (x2, y2 - label_height), (x1 - label_width, above)),
        *((x1, y1), (right, y1), (x1, y2 - label_height), (right, y2 - label_height)),
    ]
    places = [
        (
            int(np.clip(x, 0, max(width - label_width, 0))),
            int(np.clip(y, 0, max(height - label_height, 0))),
        )
        for x, y in candidates
    ]
    costs = [occupied[y : y + label_height, x : x + label_width].sum() for x, y in places]
    return places[int(np.argmin(costs))]


def occupy(
    occupied: NDArray[np.floating], left_top: tuple[int, int], size: tuple[int, int]
) -> None:
    """Add the cost of a label of `size` (width, height) at `left_top` to `occupied` (H, W)."""
    (x, y), (width, height) = left_top, size
    occupied[y : y + height, x : x + width] += _LABEL_WEIGHT


def draw_label(
    image: RGBImage, text: str, left_top: tuple[int, int], background: Color, style: Style
) -> RGBImage:
    """Draw a short text on a colored background at `left_top` (x, y)."""
    x, y = left_top
    width, height = label_size(text, style)
    canvas = Image.fromarray(image)
    pen = ImageDraw.Draw(canvas)
    pen.rectangle((x, y, x + width - 1, y + height - 1), fill=background)
    pen.text(
        (x + width / 2, y + height / 2),
        text,
        fill=text_color_on(background),
        font=load_font(style.font, style.font_file),
        anchor="mm",
    )
    return np.array(canvas)


def caption_bar(
    width: int,
    text: str,
    style: Style,
    *,
    color: Color = TEXT_COLOR,
    background: Color = BACKGROUND_COLOR,
    max_lines: int | None = None,
) -> RGBImage:
    """Draw wrapped, centered text in a bar of `width` pixels and of the height that it needs."""
    font = load_font(style.font, style.font_file)
    room = max(width - 4 * style.margin, 1)
    lines = wrap_text(text, font, room, max_lines=max_lines) or [""]
    step = line_height(font)
    bar = Image.new("RGB", (width, len(lines) * step + 2 * style.margin), background)
    pen = ImageDraw.Draw(bar)
    for index, line in enumerate(lines):
        middle = (width / 2, style.margin + (index + 0.5) * step)
        pen.text(middle, line, fill=color, font=font, anchor="mm")
    return np.array(bar)


def stack(
    images: list[RGBImage], *, background: Color = BACKGROUND_COLOR, gap: int = 0
) -> RGBImage:
    """Stack images vertically, centered, with `gap` pixels between them."""
    width = max(image.shape[1] for image in images)
    height = sum(image.shape[0] for image in images) + gap * (len(images) - 1)
    sheet = np.full((height, width, 3), background, np.uint8)
    top = 0
    for image in images:
        left = (width - image.shape[1]) // 2
        sheet[top : top + image.shape[0], left : left + image.shape[1]] = image
        top += image.shape[0] + gap
    return sheet


def side_by_side(
    images: list[RGBImage], *, background: Color = BACKGROUND_COLOR, gap: int = 0
) -> RGBImage:
    """Place images next to each other, aligned at the top, with `gap` pixels between them."""
    transposed = [image.transpose(1, 0, 2) for image in images]
    height = max(image.shape[1] for image in transposed)
    padded = [
        np.concatenate(
            [image, np.full((image.shape[0], height - image.shape[1], 3), background, np.uint8)],
            axis=1,
        )
        for image in transposed
    ]
    return stack(padded, background=background, gap=gap).transpose(1, 0, 2).copy()
