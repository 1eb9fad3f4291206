"""From scores, boxes and mask logits to predictions in the original image."""

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
# These read no semantic mask.
_OF_INSTANCES = ("instance", "best")


@TASK_UTILS.register_module()
class InstancePostprocessor:
    """Write predictions into data samples.

    All queries stay, in their order, so that scores, boxes and masks belong together; one whose
    box has no area gets score 0.

    Args:
        score_thr: Queries above it are targets; no query above it means no target.
        mask_thr: Least probability of a mask pixel.
        score_weighted: Multiply scores by the probability that a target exists.
        existence_thr: Least probability that a target exists; where it is less, scores are
            multiplied by `score_thr`, which keeps their order and lets none pass. None, as
            published, leaves the decision to the scores alone.
        merged_mask: "instance" is the union of the masks of queries above `score_thr`, "semantic"
            the semantic branch's mask, "merge" the union of both, "best" the mask of the highest
            score. All but the first are given even where nothing passes `score_thr`: evaluation
            rejects by `pred_no_target`.
        nms_thr: IoU above which the weaker of two boxes gets score 0; None for no suppression.
        frame: Where predictions stand. "input" is the network's input frame without its padding,
            in which the published InstanceVG numbers were computed.
        mask_resize: How masks come to the size of the original image.

    Raises:
        ValueError: A choice is none of those above, or a threshold is no fraction.
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
        self.mask_resize: MaskResize = mask_resize

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
        """Fill the predictions of each sample and return the samples.

        Args:
            scores: (B, Q), probability of being a target.
            boxes_xyxy: (B, Q, 4), corners in 0..1 of the padded input.
            points: (B, Q, 2), prior points in 0..1 of the padded input.
            existence: (B,), probability that a target exists.
            instance_mask_logits: (B, Q, H, W), H and W of the padded input.
            semantic_mask_logits: (B, 1, H, W); "instance" and "best" do without it.
            data_samples: Samples of the batch.
            score_thr: Score threshold of this call. If `None`, the constructor's threshold is used.
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
        # One transfer a tensor for the whole batch; what follows is bookkeeping on the CPU.
        scores, existence = scores.float().cpu(), existence.float().cpu()
        boxes_xyxy = (boxes_xyxy * extent).float().cpu()
        points_xy = (points * extent[:2]).float().cpu()
        mask_logits = self._join(instance_mask_logits, semantic_mask_logits).float().cpu()
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

    def _join(self, instances: Tensor, semantic: Tensor | None) -> Tensor:
        """Return the mask logits that are read: (B, Q, H, W), or (B, Q + 1, H, W)."""
        if self.merged_mask in _OF_INSTANCES:
            return instances
        if semantic is None:
            raise ValueError(
                f"merged_mask={self.merged_mask!r} needs a semantic mask, which this model does "
                f"not predict; set merged_mask to one of {_OF_INSTANCES}"
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
        """Return those of the Q masks that the merged one is made of; scores and is_target (Q,)."""
        if self.merged_mask == "semantic":
            return []
        if self.merged_mask == "best":
            return [rles[int(scores.argmax())]]
        return [rle for rle, chosen in zip(rles, is_target.tolist(), strict=True) if chosen]

    def _to_frame(
        self, sample: GroundingDataSample, boxes_xyxy: Tensor, points_xy: Tensor
    ) -> tuple[Tensor, Tensor, tuple[int, int]]:
        """Return boxes, points and the image size (H, W) in the frame that is asked for."""
        if self.frame == "input":
            return clip_boxes(boxes_xyxy, sample.img_shape), points_xy, sample.img_shape
        boxes = boxes_to_original(boxes_xyxy, sample.scale_factor, sample.ori_shape)
        return boxes, points_xy / points_xy.new_tensor(sample.scale_factor), sample.ori_shape

    def _suppress(self, scores: Tensor, boxes_xyxy: Tensor) -> Tensor:
        """Set the scores (Q,) of boxes (Q, 4) without area, and of suppressed ones, to 0."""
        keep = (boxes_xyxy[:, 2:] > boxes_xyxy[:, :2]).all(1)
        if self.nms_thr is not None:
            survives = torch.zeros_like(keep)
            survives[nms(boxes_xyxy, scores, self.nms_thr)] = True
            keep &= survives
        return scores * keep
