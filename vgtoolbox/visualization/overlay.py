"""What is drawn over a picture: instances with boxes, masks and labels, and the merged mask."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from mmengine.structures import InstanceData
from numpy.typing import NDArray

from vgtoolbox.structures import RLE, decode_masks
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
from vgtoolbox.visualization.palette import REMAINDER, Color, instance_color

Layer = Literal["masks", "boxes", "points", "labels"]
LAYERS: tuple[Layer, ...] = get_args(Layer)

# Below this many pixels a side, lines and labels would hide what they point at.
MIN_SIDE = 320
# A picture is not enlarged beyond this, however narrow it is.
MAX_SIDE = 4096


@dataclass(frozen=True)
class Overlay:
    """Instances to draw, in the frame of a picture of H x W pixels.

    Attributes:
        boxes_xyxy: (N, 4).
        masks: (N, H, W) bool, or (0, H, W) where instances have no masks.
        labels: N short texts, or none.
        merged_mask: (H, W) bool, the one mask of all targets; None where there is none. Its part
            that no instance covers is drawn in a colour of its own.
        points_xy: (N, 2), where instances grew from; None where that is not known.
    """

    boxes_xyxy: NDArray[np.float64]
    masks: DenseMask
    labels: tuple[str, ...] = ()
    merged_mask: DenseMask | None = None
    points_xy: NDArray[np.float64] | None = None

    @classmethod
    def of_targets(cls, targets: InstanceData, size: tuple[int, int]) -> Overlay:
        """Build from `gt_instances` or `gt_instances_ori` of a picture of `size` (H, W)."""
        masks = targets.get("masks", [])
        dense = decode_masks(masks, size) if isinstance(masks, list) else masks.cpu()
        return cls(boxes_xyxy=targets.boxes_xyxy.double().cpu().numpy(), masks=dense.numpy())

    @classmethod
    def of_prediction(cls, record: Mapping[str, Any], *, score_thr: float) -> Overlay:
        """Build from a record of `predictions.jsonl`; nothing is drawn where it says no target.

        Args:
            record: Has `size`, `boxes_xyxy`, `scores`, `masks`, `merged_mask` and `no_target`, and
                may have `points_xy`.
            score_thr: Instances above it are drawn.
        """
        size = (int(record["size"][0]), int(record["size"][1]))
        if record["no_target"]:
            return cls.empty(size)
        kept = [i for i, score in enumerate(record["scores"]) if score > score_thr]
        rles: Sequence[RLE] = record["masks"]
        merged: RLE | None = record["merged_mask"]
        boxes = np.asarray([record["boxes_xyxy"][i] for i in kept], np.float64)
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
        """Return the overlay that draws nothing on a picture of `size` (H, W)."""
        return cls(boxes_xyxy=np.zeros((0, 4)), masks=np.zeros((0, *size), bool))

    def resized(self, source: tuple[int, int], target: tuple[int, int]) -> Overlay:
        """Return the overlay for the same picture at another size; both are (H, W)."""
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
        """The part of the merged mask that no instance covers, (H, W); None without one."""
        if self.merged_mask is None:
            return None
        return self.merged_mask & ~self.masks.any(0)


def display_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return the (H, W) at which a picture of `size` is drawn: small ones are enlarged."""
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
        image: uint8 RGB (H, W, 3).
        overlay: In the frame of `image`.
        size: The (H, W) of the result; None enlarges small pictures and keeps others.
        alpha: How much the masks cover, 0 to 1.
        font_file: See `text.load_font`.
        layers: What of it is drawn.
    """
    check_rgb_image(image)
    source = (image.shape[0], image.shape[1])
    target = size or display_size(source)
    if overlay.masks.shape[1:] != source:
        raise ValueError(
            f"the overlay is for a picture of height x width {overlay.masks.shape[1:]}, "
            f"the picture is {source}; are both in the same frame?"
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
    # Instances without masks of their own have boxes only.
    masks, shades = list(overlay.masks), colors[: len(overlay.masks)]
    rest = overlay.remainder
    if rest is not None and rest.any():
        masks, shades = [*masks, rest], [*shades, REMAINDER]
    drawn = fill_masks(drawn, masks, shades, alpha=alpha)
    for mask, color in zip(masks, shades, strict=True):
        drawn = outline_mask(drawn, mask, color, width=style.line)
    return drawn


def _draw_labels(drawn: RGBImage, overlay: Overlay, colors: list[Color], style: Style) -> RGBImage:
    occupied = _objects(overlay, (drawn.shape[0], drawn.shape[1]))
    for text, box, color in zip(overlay.labels, overlay.boxes_xyxy, colors, strict=False):
        size = label_size(text, style)
        place = place_label(box, size, occupied)
        drawn = draw_label(drawn, text, place, color, style)
        occupy(occupied, place, size)
    return drawn


def _objects(overlay: Overlay, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return the cost (H, W) of covering each pixel: objects, and a little for their boxes."""
    occupied = np.zeros(size, np.float32)
    for x1, y1, x2, y2 in np.rint(np.clip(overlay.boxes_xyxy, 0, None)).astype(int):
        occupied[y1:y2, x1:x2] += 0.25 if len(overlay.masks) else 1.0
    occupied += overlay.masks.any(0)
    return occupied if overlay.merged_mask is None else occupied + overlay.merged_mask
