"""Draw instances over an image: masks, boxes, points and labels."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from mmengine.structures import InstanceData
from numpy.typing import NDArray

from vgtoolbox.structures import RLE, check_prediction, check_size, decode_masks
from vgtoolbox.utils.choices import check_choice, check_fraction
from vgtoolbox.visualization.drawing import (
    DenseMask,
    RGBImage,
    Style,
    check_rgb_image,
    draw_box,
    draw_label,
    draw_point,
    fill_masks,
    label_size,
    occupy,
    outline_mask,
    place_label,
    resize_mask,
    resize_rgb_image,
)
from vgtoolbox.visualization.palette import REMAINDER_COLOR, Color, instance_color

Layer = Literal["masks", "boxes", "points", "labels"]
LAYERS: tuple[Layer, ...] = get_args(Layer)

# In smaller images, lines and labels would hide the objects that they mark.
MIN_SIDE = 320
# Upper limit of the longer side when a narrow image is enlarged to `MIN_SIDE`.
MAX_SIDE = 4096


@dataclass(frozen=True)
class Overlay:
    """Instances to draw, in the frame of an image of H x W pixels.

    Attributes:
        boxes_xyxy: Boxes (N, 4).
        masks: Masks (N, H, W), bool; (0, H, W) if the instances have no masks.
        labels: One short text per instance, or empty for no labels.
        merged_mask: Mask (H, W), bool, of all targets together. The part that no instance covers
            is drawn in its own color. `None` if there is no such mask.
        points_xy: Points (N, 2) from which the instances were predicted. `None` if unknown.
    """

    boxes_xyxy: NDArray[np.float64]
    masks: DenseMask
    labels: tuple[str, ...] = ()
    merged_mask: DenseMask | None = None
    points_xy: NDArray[np.float64] | None = None

    @classmethod
    def from_targets(cls, targets: InstanceData, size: tuple[int, int]) -> Overlay:
        """Build an overlay of ground truth.

        Args:
            targets: `gt_instances` or `gt_instances_ori` of a sample.
            size: Size (H, W) of the image in the frame of the targets.
        """
        masks = targets.get("masks", [])
        dense = decode_masks(masks, size) if isinstance(masks, list) else masks.cpu()
        return cls(boxes_xyxy=targets.boxes_xyxy.double().cpu().numpy(), masks=dense.numpy())

    @classmethod
    def from_prediction(cls, record: Mapping[str, Any], *, score_thr: float) -> Overlay:
        """Build an overlay of a prediction; it is empty if `no_target` is true.

        Args:
            record: Record of `predictions.jsonl` with `size`, `boxes_xyxy`, `scores`, `masks`,
                `merged_mask` and `no_target`, and optionally `points_xy`.
            score_thr: Score threshold in [0, 1]; instances above it are drawn.

        Raises:
            GeometryError: A key is missing or its value is invalid.
        """
        size = check_size(record["size"])
        if record["no_target"] is True:
            return cls.empty(size)
        record = check_prediction(record)
        kept = [i for i, score in enumerate(record["scores"]) if score > score_thr]
        rles: Sequence[RLE] = record["masks"]
        merged: RLE | None = record["merged_mask"]
        boxes = np.asarray([record["boxes_xyxy"][i] for i in kept], np.float64)  # (N, 4) or (0,)
        points = record.get("points_xy") or None
        return cls(
            boxes_xyxy=boxes.reshape(-1, 4),
            masks=decode_masks([rles[i] for i in kept] if rles else [], size).numpy(),
            labels=tuple(f"{record['scores'][i]:.2f}" for i in kept),
            merged_mask=None if merged is None else decode_masks([merged], size)[0].numpy(),
            points_xy=points and np.asarray([points[i] for i in kept], np.float64).reshape(-1, 2),
        )

    @classmethod
    def empty(cls, size: tuple[int, int]) -> Overlay:
        """Return an overlay without instances for an image of `size` (H, W)."""
        return cls(boxes_xyxy=np.zeros((0, 4)), masks=np.zeros((0, *size), bool))

    def resized(self, source: tuple[int, int], target: tuple[int, int]) -> Overlay:
        """Return the overlay for the image resized from `source` (H, W) to `target` (H, W)."""
        factor = np.array([target[1] / source[1], target[0] / source[0]] * 2)
        masks = [resize_mask(mask, target) for mask in self.masks]
        merged = None if self.merged_mask is None else resize_mask(self.merged_mask, target)
        return replace(
            self,
            boxes_xyxy=self.boxes_xyxy * factor,
            masks=np.stack(masks) if masks else np.zeros((0, *target), bool),
            merged_mask=merged,
            points_xy=None if self.points_xy is None else self.points_xy * factor[:2],
        )

    @property
    def remainder(self) -> DenseMask | None:
        """Part (H, W) of the merged mask that no instance covers, or `None` without one."""
        if self.merged_mask is None:
            return None
        return self.merged_mask & ~self.masks.any(0)


def display_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return the (H, W) at which an image of `size` is drawn; small images are enlarged."""
    factor = min(max(MIN_SIDE / min(size), 1.0), max(MAX_SIDE / max(size), 1.0))
    return round(size[0] * factor), round(size[1] * factor)


def draw_overlay(
    image: RGBImage,
    overlay: Overlay,
    *,
    size: tuple[int, int] | None = None,
    alpha: float = 0.4,
    font_file: str | None = None,
    layers: Collection[Layer] = LAYERS,
) -> RGBImage:
    """Draw masks, then boxes, points and labels, so that nothing hides a label.

    Args:
        image: Image, uint8 RGB (H, W, 3).
        overlay: Instances in the frame of `image`.
        size: Size (H, W) of the result. If `None`, small images are enlarged and others keep their
            size (see `display_size`).
        alpha: Opacity of masks in [0, 1].
        font_file: Path of a font file. If `None`, DejaVu Sans is used (see `text.load_font`).
        layers: Layers to draw.

    Raises:
        ValueError: The image is invalid, the overlay is in the frame of another image, a layer is
            unknown, or `alpha` is not in [0, 1].
    """
    check_rgb_image(image)
    check_fraction("alpha", alpha)
    for layer in layers:
        check_choice("layers", layer, LAYERS)
    source = (image.shape[0], image.shape[1])
    target = size or display_size(source)
    if overlay.masks.shape[1:] != source:
        raise ValueError(
            f"the overlay must be for an image of height x width {source}, "
            f"got {overlay.masks.shape[1:]}; are both in the same frame?"
        )
    overlay = overlay.resized(source, target)
    style = Style.for_size(target, font_file)
    colors = [instance_color(i) for i in range(len(overlay.boxes_xyxy))]
    drawn = resize_rgb_image(image, target)
    if "masks" in layers:
        drawn = _draw_masks(drawn, overlay, colors, style, alpha)
    if "boxes" in layers:
        for box, color in zip(overlay.boxes_xyxy, colors, strict=True):
            drawn = draw_box(drawn, box, color, width=style.line)
    if "points" in layers and overlay.points_xy is not None:
        for point, color in zip(overlay.points_xy, colors, strict=True):
            drawn = draw_point(drawn, point, color, radius=2 * style.line)
    return _draw_labels(drawn, overlay, colors, style) if "labels" in layers else drawn


def _draw_masks(
    drawn: RGBImage, overlay: Overlay, colors: list[Color], style: Style, alpha: float
) -> RGBImage:
    # Instances may have no masks (0, H, W); then only their boxes are drawn.
    masks, shades = list(overlay.masks), colors[: len(overlay.masks)]
    rest = overlay.remainder
    if rest is not None and rest.any():
        masks, shades = [*masks, rest], [*shades, REMAINDER_COLOR]
    drawn = fill_masks(drawn, masks, shades, alpha=alpha)
    for mask, color in zip(masks, shades, strict=True):
        drawn = outline_mask(drawn, mask, color, width=style.line)
    return drawn


def _draw_labels(drawn: RGBImage, overlay: Overlay, colors: list[Color], style: Style) -> RGBImage:
    occupied = _occupied_pixels(overlay, (drawn.shape[0], drawn.shape[1]))
    for text, box, color in zip(overlay.labels, overlay.boxes_xyxy, colors, strict=False):
        size = label_size(text, style)
        place = place_label(box, size, occupied)
        drawn = draw_label(drawn, text, place, color, style)
        occupy(occupied, place, size)
    return drawn


def _occupied_pixels(overlay: Overlay, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return the cost (H, W) of covering each pixel: high on objects, low elsewhere in boxes."""
    occupied = np.zeros(size, np.float32)
    for x1, y1, x2, y2 in np.rint(np.clip(overlay.boxes_xyxy, 0, None)).astype(int):
        occupied[y1:y2, x1:x2] += 0.25 if len(overlay.masks) else 1.0
    occupied += overlay.masks.any(0)
    return occupied if overlay.merged_mask is None else occupied + overlay.merged_mask
