"""Convert scores, boxes and mask logits to predictions in the original image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from mmengine.structures import InstanceData
from torch import Tensor
from torchvision.ops import nms

from vgtoolbox.registry import TASK_UTILS
from vgtoolbox.structures import (
    PUBLISHED_SCORE_THR,
    RLE,
    Frame,
    GroundingDataSample,
    boxes_to_original,
    clip_boxes,
    encode_masks,
    mask_logits_to_original,
    merge_rles,
)
from vgtoolbox.structures.masks import MaskResize
from vgtoolbox.utils.choices import check_choice, check_fraction

MergedMask = Literal["merge", "instance", "semantic", "best"]
# Choices that need no semantic mask.
_INSTANCE_CHOICES = ("instance", "best")


@TASK_UTILS.register_module()
class InstancePostprocessor:
    """Writes predictions into data samples.

    All queries are kept in their order, so that scores, boxes and masks correspond. A query whose
    box has no area gets score 0.

    Args:
        score_thr: Score threshold in [0, 1]. Queries above it are targets; if there are none, the
            prediction is "no target".
        mask_thr: Minimum probability of a mask pixel, in [0, 1].
        score_weighted: Whether to multiply scores by the probability that a target exists.
        existence_thr: Minimum probability that a target exists, in [0, 1]. Below it, scores are
            multiplied by `score_thr`, which keeps their order but pushes all below the threshold.
            If `None`, as published, only the scores decide.
        merged_mask: Mask of the whole prediction. "instance" is the union of the masks of queries
            above `score_thr`, "semantic" the mask of the semantic branch, "merge" the union of
            both, and "best" the mask with the highest score. All but "instance" are written even
            if no query is above `score_thr`: evaluation rejects by `pred_no_target`.
        nms_thr: IoU in [0, 1] above which the box with the lower score gets score 0. If `None`,
            there is no suppression.
        frame: Frame of the predictions. "input" is the input frame of the network without its
            padding, in which the published InstanceVG numbers were computed.
        mask_resize: Interpolation that resizes masks to the original image: "nearest" or
            "bilinear".

    Raises:
        ValueError: A choice is unknown, or a threshold is not in [0, 1].
    """

    def __init__(
        self,
        *,
        score_thr: float = PUBLISHED_SCORE_THR,
        mask_thr: float = 0.5,
        score_weighted: bool = True,
        existence_thr: float | None = None,
        merged_mask: MergedMask = "merge",
        nms_thr: float | None = None,
        frame: Frame = "original",
        mask_resize: MaskResize = "nearest",
    ) -> None:
        check_choice("merged_mask", merged_mask, get_args(MergedMask))
        check_choice("frame", frame, get_args(Frame))
        check_choice("mask_resize", mask_resize, get_args(MaskResize))
        thresholds = {
            "score_thr": score_thr,
            "mask_thr": mask_thr,
            "existence_thr": existence_thr,
            "nms_thr": nms_thr,
        }
        for name, value in thresholds.items():
            if value is not None:
                check_fraction(name, value)
        self.score_thr = score_thr
        self.mask_thr = mask_thr
        self.score_weighted = score_weighted
        self.existence_thr = existence_thr
        self.merged_mask = merged_mask
        self.nms_thr = nms_thr
        self.frame = frame
        self.mask_resize = mask_resize

    def __call__(
        self,
        *,
        scores: Tensor,
        boxes_xyxy: Tensor,
        points: Tensor,
        existence: Tensor,
        instance_mask_logits: Tensor,
        semantic_mask_logits: Tensor | None = None,
        data_samples: Sequence[GroundingDataSample],
        score_thr: float | None = None,
    ) -> list[GroundingDataSample]:
        """Write the predictions into the samples and return the samples.

        Args:
            scores: Probabilities (B, Q) of being a target.
            boxes_xyxy: Box corners (B, Q, 4), in 0..1 of the padded input.
            points: Prior points (B, Q, 2), in 0..1 of the padded input.
            existence: Probabilities (B,) that a target exists.
            instance_mask_logits: Mask logits (B, Q, H, W), with H and W of the padded input.
            semantic_mask_logits: Mask logits (B, 1, H, W). May be `None` if `merged_mask` is
                "instance" or "best".
            data_samples: Samples of the batch.
            score_thr: Score threshold of this call. If `None`, the constructor's threshold is used.

        Raises:
            ValueError: `score_thr` is not in [0, 1], or the semantic mask is missing.
        """
        if score_thr is None:
            score_thr = self.score_thr
        check_fraction("score_thr", score_thr)
        if self.score_weighted:
            scores = scores * existence[:, None]
        if self.existence_thr is not None:
            is_missing = (existence < self.existence_thr)[:, None]
            scores = torch.where(is_missing, scores * score_thr, scores)
        height, width = instance_mask_logits.shape[-2:]
        extent = boxes_xyxy.new_tensor([width, height, width, height])
        # One transfer per tensor for the whole batch; the rest is bookkeeping on the CPU.
        scores, existence = scores.float().cpu(), existence.float().cpu()
        boxes_xyxy = (boxes_xyxy * extent).float().cpu()
        points_xy = (points * extent[:2]).float().cpu()
        # Shape (B, Q, H, W), or (B, Q + 1, H, W) with the semantic mask.
        mask_logits = self._join_masks(instance_mask_logits, semantic_mask_logits).float().cpu()
        for index, sample in enumerate(data_samples):
            sample.set_metainfo({"pred_frame": self.frame})
            self._fill(
                sample,
                scores[index],
                boxes_xyxy[index],
                points_xy[index],
                mask_logits[index],
                score_thr=score_thr,
            )
            sample.pred_existence = float(existence[index])
        return list(data_samples)

    def _join_masks(self, instances: Tensor, semantic: Tensor | None) -> Tensor:
        """Return the mask logits in use, (B, Q, H, W) or with the semantic one (B, Q + 1, H, W)."""
        if self.merged_mask in _INSTANCE_CHOICES:
            return instances
        if semantic is None:
            raise ValueError(
                f"merged_mask={self.merged_mask!r} needs a semantic mask, which this model does "
                f"not predict; set merged_mask to {' or '.join(map(repr, _INSTANCE_CHOICES))}"
            )
        return torch.cat([instances, semantic], 1)

    def _fill(
        self,
        sample: GroundingDataSample,
        scores: Tensor,
        boxes_xyxy: Tensor,
        points_xy: Tensor,
        mask_logits: Tensor,
        *,
        score_thr: float,
    ) -> None:
        """Fill one sample: scores (Q,), boxes (Q, 4), points (Q, 2), masks (Q or Q + 1, H, W)."""
        boxes_xyxy, points_xy, size = self._to_frame(sample, boxes_xyxy, points_xy)
        masks = mask_logits_to_original(
            mask_logits,
            threshold=self.mask_thr,
            img_shape=sample.img_shape,
            ori_shape=size,
            resize=self.mask_resize,
        )
        rles = encode_masks(masks)
        rles, semantic = rles[: len(scores)], rles[len(scores) :]
        scores = self._suppress(scores, boxes_xyxy)
        is_target = scores > score_thr
        sample.pred_instances = InstanceData(
            boxes_xyxy=boxes_xyxy, scores=scores, points_xy=points_xy, masks=rles
        )
        merged = self._select(rles, scores, is_target) + semantic
        sample.pred_merged_mask = merge_rles(merged, size)
        sample.pred_no_target = not bool(is_target.any())

    def _select(self, rles: list[RLE], scores: Tensor, is_target: Tensor) -> list[RLE]:
        """Return the instance masks to merge, of Q; `scores` and `is_target` are (Q,)."""
        if self.merged_mask == "semantic":
            return []
        if self.merged_mask == "best":
            return [rles[int(scores.argmax())]]
        return [rle for rle, chosen in zip(rles, is_target.tolist(), strict=True) if chosen]

    def _to_frame(
        self, sample: GroundingDataSample, boxes_xyxy: Tensor, points_xy: Tensor
    ) -> tuple[Tensor, Tensor, tuple[int, int]]:
        """Return boxes, points and the image size (H, W) in the frame of the predictions."""
        if self.frame == "input":
            return clip_boxes(boxes_xyxy, sample.img_shape), points_xy, sample.img_shape
        boxes = boxes_to_original(boxes_xyxy, sample.scale_factor, sample.ori_shape)
        return boxes, points_xy / points_xy.new_tensor(sample.scale_factor), sample.ori_shape

    def _suppress(self, scores: Tensor, boxes_xyxy: Tensor) -> Tensor:
        """Set the scores (Q,) of suppressed boxes (Q, 4) and of those without area to 0."""
        keep = (boxes_xyxy[:, 2:] > boxes_xyxy[:, :2]).all(1)
        if self.nms_thr is not None:
            survives = torch.zeros_like(keep)
            survives[nms(boxes_xyxy, scores, self.nms_thr)] = True
            keep &= survives
        return scores * keep
