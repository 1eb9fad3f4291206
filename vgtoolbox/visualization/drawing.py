"""Drawing on pictures: pure functions from uint8 RGB arrays (H, W, 3) to new ones.

Boxes are corner pixels (x1, y1, x2, y2) and masks are dense, in the frame of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from vgtoolbox.visualization.palette import INK, PAPER, WHITE, Color, text_color_on
from vgtoolbox.visualization.text import line_height, load_font, wrap_text

RGBImage = NDArray[np.uint8]
DenseMask = NDArray[np.bool_]

# How much worse it is to cover another label than to cover an object, per pixel.
_LABEL_WEIGHT = 16


@dataclass(frozen=True)
class Style:
    """Sizes in pixels, in proportion to the picture that they are for.

    Attributes:
        line: Width of boxes and outlines.
        font: Height of labels.
        margin: Distance between text and the edge of what it stands on.
        font_file: See `text.load_font`.
    """

    line: int
    font: int
    margin: int
    font_file: str | None = None

    @classmethod
    def for_size(cls, size: tuple[int, int], font_file: str | None = None) -> Style:
        """Return the style that suits a picture of `size` (H, W)."""
        side = min(size)
        font = max(11, round(side / 32))
        return cls(max(2, round(side / 240)), font, max(2, font // 4), font_file)


def check_rgb_image(image: RGBImage) -> None:
    """Raise ValueError where `image` is no uint8 RGB array (H, W, 3) with a pixel at least."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(
            f"a picture is a uint8 RGB array (H, W, 3), got {image.dtype} of shape {image.shape}"
        )


def resize_rgb_image(image: RGBImage, size: tuple[int, int]) -> RGBImage:
    """Resize a picture to `size` (H, W), smoothly in either direction."""
    if image.shape[:2] == size:
        return image.copy()
    shrinks = size[0] * size[1] < image.shape[0] * image.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return cv2.resize(image, size[::-1], interpolation=how).astype(np.uint8)


def resize_mask(mask: DenseMask, size: tuple[int, int]) -> DenseMask:
    """Resize a mask (H, W) to `size` for display: its edge is smooth, and no object vanishes."""
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
    """Tint the pixels of masks (H, W); where several overlap, with the mean of their colours.

    The picture shines through the same everywhere, however many masks cover a pixel.
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
    """Draw the contours of a mask (H, W), those of its holes too."""
    drawn = image.copy()
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(drawn, contours, -1, color, width, cv2.LINE_AA)
    return drawn


def draw_box(
    image: RGBImage, box_xyxy: NDArray[np.floating], color: Color, *, width: int
) -> RGBImage:
    """Draw a box whose whole line stands inside the picture, with a white seam."""
    height, picture_width = image.shape[:2]
    limit = np.array([picture_width - 1, height - 1] * 2)
    x1, y1, x2, y2 = np.clip(np.rint(box_xyxy), 0, limit).astype(int).tolist()
    canvas = Image.fromarray(image)
    pen = ImageDraw.Draw(canvas)
    # A line that is wider than half the box would be drawn beyond it.
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
    """Draw a point as a disc with a white seam; one outside the picture stands at its edge."""
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
    """Find where a label covers least: outside the box, above it by preference.

    Args:
        box_xyxy: What the label belongs to, (4,).
        size: Width and height of the label.
        occupied: (H, W), the cost of covering each pixel.

    Returns:
        Left and top, such that the label lies inside the picture if it is no larger than that.
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
    """Note in `occupied` (H, W) that a label of `size` (width, height) stands at `left_top`."""
    (x, y), (width, height) = left_top, size
    occupied[y : y + height, x : x + width] += _LABEL_WEIGHT


def draw_label(
    image: RGBImage, text: str, left_top: tuple[int, int], background: Color, style: Style
) -> RGBImage:
    """Write a short text on a coloured ground at `left_top` (x, y)."""
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
    color: Color = INK,
    background: Color = PAPER,
    max_lines: int | None = None,
) -> RGBImage:
    """Set text, wrapped and centred, in a bar of `width` pixels; its height is what it needs."""
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


def stack(pictures: list[RGBImage], *, background: Color = PAPER, gap: int = 0) -> RGBImage:
    """Put pictures one below the other, centred, on a common ground."""
    width = max(picture.shape[1] for picture in pictures)
    height = sum(picture.shape[0] for picture in pictures) + gap * (len(pictures) - 1)
    sheet = np.full((height, width, 3), background, np.uint8)
    top = 0
    for picture in pictures:
        left = (width - picture.shape[1]) // 2
        sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        top += picture.shape[0] + gap
    return sheet


def side_by_side(pictures: list[RGBImage], *, background: Color = PAPER, gap: int = 0) -> RGBImage:
    """Put pictures next to each other, aligned at the top, on a common ground."""
    turned = [picture.transpose(1, 0, 2) for picture in pictures]
    height = max(picture.shape[1] for picture in turned)
    padded = [
        np.concatenate(
            [
                picture,
                np.full((picture.shape[0], height - picture.shape[1], 3), background, np.uint8),
            ],
            axis=1,
        )
        for picture in turned
    ]
    return stack(padded, background=background, gap=gap).transpose(1, 0, 2).copy()
