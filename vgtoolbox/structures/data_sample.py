"""Data sample of visual grounding: an image, an expression, its targets and predictions."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.structures import BaseDataElement, InstanceData
from torch import Tensor

from vgtoolbox.structures.boxes import check_boxes_xyxy
from vgtoolbox.structures.masks import RLE
from vgtoolbox.utils.choices import check_fraction


class GroundingDataSample(BaseDataElement):
    """Pair of an image and an expression with its targets and predictions.

    Every assignment to a field, on construction as well, checks the field. N is the number of
    targets (0 if the expression names nothing in the image), Q of predictions, T of text tokens.

    Meta information (`metainfo=dict(...)`):
        sample_idx (int): Position in the dataset, by which distributed evaluation removes
            duplicates.
        sample_id (str): Stable name from the annotation.
        img_path (str), image_id (int), split (str).
        ori_shape (tuple[int, int]): H, W of the image as stored.
        img_shape (tuple[int, int]): H, W of the network input, before padding to a batch.
        scale_factor (tuple[float, float]): x, y; input coordinate = original coordinate * factor.
        flip (bool): Whether the input is mirrored left to right.
        expression (str): The text that the model reads.
        expressions (tuple[str, ...]): All sentences of this annotation, as written.
        pred_frame (str): Frame of the predictions, "original" or "input", set by the model.

    Data fields:
        token_ids: (T,) long.
        text_padding_mask: (T,) bool, True = padding.
        gt_instances: Targets in the input frame: `boxes_xyxy` (N, 4), `masks` (N, H, W) bool,
            optional `points_xy` (N, 2).
        gt_instances_ori: Targets in the original frame: `boxes_xyxy` (N, 4), `masks` N RLEs.
        pred_instances: Predictions: `boxes_xyxy` (Q, 4), `scores` (Q,) in [0, 1], `masks` Q RLEs,
            optional `points_xy` (Q, 2).
        pred_merged_mask (RLE): One mask of all targets.
        pred_existence (float): Probability that the expression names something.
        pred_no_target (bool): Decision that it names nothing.
    """

    @property
    def no_target(self) -> bool:
        """Whether the annotation says that the expression names nothing in the image.

        Raises:
            AttributeError: The sample has no ground truth.
        """
        for field in ("gt_instances_ori", "gt_instances"):
            if field in self:
                return len(self.get(field)) == 0
        raise AttributeError("the sample has no ground truth, so `no_target` is not known")

    @property
    def token_ids(self) -> Tensor:
        """Token ids of the expression, (T,) long."""
        return self._token_ids

    @token_ids.setter
    def token_ids(self, value: Tensor) -> None:
        """Set token ids (T,) long."""
        _check_tensor("token_ids", value, ndim=1, dtype=torch.long)
        self.set_field(value, "_token_ids", dtype=Tensor)

    @property
    def text_padding_mask(self) -> Tensor:
        """Whether a token is padding, (T,) bool."""
        return self._text_padding_mask

    @text_padding_mask.setter
    def text_padding_mask(self, value: Tensor) -> None:
        """Set the padding mask (T,) bool, as long as `token_ids` if they are set."""
        _check_tensor("text_padding_mask", value, ndim=1, dtype=torch.bool)
        if "token_ids" in self and len(value) != len(self.token_ids):
            raise ValueError(
                f"text_padding_mask must be as long as token_ids ({len(self.token_ids)}), got "
                f"length {len(value)}"
            )
        self.set_field(value, "_text_padding_mask", dtype=Tensor)

    @property
    def gt_instances(self) -> InstanceData:
        """Targets in the input frame."""
        return self._gt_instances

    @gt_instances.setter
    def gt_instances(self, value: InstanceData) -> None:
        """Set N targets: `boxes_xyxy` (N, 4), optional `masks` (N, H, W), `points_xy` (N, 2)."""
        check_boxes_xyxy(value.boxes_xyxy, name="gt_instances.boxes_xyxy")
        if "masks" in value:
            _check_tensor("gt_instances.masks", value.masks, ndim=3, dtype=torch.bool)
        _check_points("gt_instances.points_xy", value.get("points_xy"))
        self.set_field(value, "_gt_instances", dtype=InstanceData)

    @property
    def gt_instances_ori(self) -> InstanceData:
        """Targets in the original frame, with masks as run-length encodings."""
        return self._gt_instances_ori

    @gt_instances_ori.setter
    def gt_instances_ori(self, value: InstanceData) -> None:
        """Set N targets: `boxes_xyxy` (N, 4), optional `masks`, N RLEs of `ori_shape`."""
        check_boxes_xyxy(value.boxes_xyxy, name="gt_instances_ori.boxes_xyxy")
        _check_rles("gt_instances_ori.masks", value.get("masks", []), self.get("ori_shape"))
        self.set_field(value, "_gt_instances_ori", dtype=InstanceData)

    @property
    def pred_instances(self) -> InstanceData:
        """Predicted instances in the frame `pred_frame`."""
        return self._pred_instances

    @pred_instances.setter
    def pred_instances(self, value: InstanceData) -> None:
        """Set Q predictions: `boxes_xyxy` (Q, 4), `scores` (Q,), optional `masks`, `points_xy`."""
        check_boxes_xyxy(value.boxes_xyxy, name="pred_instances.boxes_xyxy")
        _check_probabilities("pred_instances.scores", value.scores)
        _check_points("pred_instances.points_xy", value.get("points_xy"))
        _check_rles("pred_instances.masks", value.get("masks", []), self._prediction_size())
        self.set_field(value, "_pred_instances", dtype=InstanceData)

    @property
    def pred_merged_mask(self) -> RLE:
        """One mask of all targets in the frame `pred_frame`."""
        return self._pred_merged_mask

    @pred_merged_mask.setter
    def pred_merged_mask(self, value: RLE) -> None:
        """Set the merged mask, an RLE of the size of the frame `pred_frame`."""
        _check_rles("pred_merged_mask", [value], self._prediction_size())
        self.set_field(value, "_pred_merged_mask", dtype=dict)

    @pred_merged_mask.deleter
    def pred_merged_mask(self) -> None:
        """Delete the merged mask."""
        del self._pred_merged_mask

    @property
    def pred_existence(self) -> float:
        """Probability that the expression names something in the image."""
        return self._pred_existence

    @pred_existence.setter
    def pred_existence(self, value: float) -> None:
        """Set the probability, in [0, 1]."""
        check_fraction("pred_existence", value)
        self.set_field(float(value), "_pred_existence", dtype=float)

    @property
    def pred_no_target(self) -> bool:
        """Whether the model decides that the expression names nothing in the image."""
        return self._pred_no_target

    @pred_no_target.setter
    def pred_no_target(self, value: bool) -> None:
        """Set the decision."""
        self.set_field(value, "_pred_no_target", dtype=bool)

    def _prediction_size(self) -> tuple[int, int] | None:
        """Return (H, W) of the frame `pred_frame`, or `None` if it is not known."""
        frame = self.get("pred_frame", "original")
        return self.get("img_shape" if frame == "input" else "ori_shape")


def _check_tensor(name: str, value: Any, *, ndim: int, dtype: torch.dtype) -> None:
    """Raise unless `value` is a tensor with `ndim` dimensions and a dtype of `dtype`."""
    if not isinstance(value, Tensor) or value.ndim != ndim or value.dtype != dtype:
        found = (
            f"{value.dtype} of shape {tuple(value.shape)}"
            if isinstance(value, Tensor)
            else type(value).__name__
        )
        raise ValueError(
            f"{name} must be a tensor of {dtype} with {ndim} dimension{'s' * (ndim > 1)}, "
            f"got {found}"
        )


def _check_points(name: str, value: Tensor | None) -> None:
    """Raise unless `value` is `None` or finite and of shape (N, 2)."""
    if value is None:
        return
    if value.ndim != 2 or value.shape[1] != 2 or not bool(torch.isfinite(value).all()):
        raise ValueError(f"{name} must be finite and of shape (N, 2), got {tuple(value.shape)}")


def _check_probabilities(name: str, value: Tensor) -> None:
    """Raise if a score is outside [0, 1] or NaN; `value` has any shape."""
    if value.numel() and not bool(((value >= 0) & (value <= 1)).all()):
        raise ValueError(
            f"{name} must be between 0 and 1, got {value.min():.4g} to {value.max():.4g}"
        )


def _check_rles(name: str, rles: list[RLE], size: tuple[int, int] | None) -> None:
    """Raise if an entry is not an RLE, or is an RLE of another size than `size` (H, W)."""
    for index, rle in enumerate(rles):
        if not isinstance(rle, dict) or set(rle) != {"size", "counts"}:
            raise ValueError(
                f"{name}[{index}] must be a run-length encoding with 'size' and 'counts', got "
                f"{str(rle)[:80]}"
            )
        if size is not None and tuple(rle["size"]) != tuple(size):
            raise ValueError(
                f"{name}[{index}] must have the size [height, width] = {list(size)}, got "
                f"{rle['size']}"
            )
