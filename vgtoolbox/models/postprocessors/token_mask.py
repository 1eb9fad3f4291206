"""Convert the mask logits of target tokens to a prediction in the original image."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from vgtoolbox.registry import TASK_UTILS
from vgtoolbox.structures import (
    GroundingDataSample,
    encode_masks,
    masks_to_boxes_xyxy,
    merge_rles,
    resize_mask_logits,
)
from vgtoolbox.utils.choices import check_choice, check_fraction

ResizedValues = Literal["logits", "probabilities"]


@TASK_UTILS.register_module()
class TokenMaskPostprocessor:
    """Resize the masks of an expression to the original image and threshold them.

    Each mask that is not empty is an instance, whose box is the extent of the mask.

    Args:
        mask_thr: Minimum probability of a foreground pixel, between 0 and 1, both exclusive.
        resize: Values that are resized: "logits", or "probabilities" as in the published MLLMSeg.
        existence_thr: Minimum probability that there is a target, in [0, 1]. If `None`, as
            published, the language model decides.
        keep_rejected: Whether to keep the mask of a rejected expression (the "gsva" protocol of
            GRES counts it). By default it is empty.

    Raises:
        ValueError: `resize` is unknown, or a threshold is out of range.
    """

    def __init__(
        self,
        *,
        mask_thr: float = 0.5,
        resize: ResizedValues = "logits",
        existence_thr: float | None = None,
        keep_rejected: bool = False,
    ) -> None:
        if not 0 < mask_thr < 1:
            raise ValueError(f"mask_thr must be between 0 and 1, both exclusive, got {mask_thr}")
        if existence_thr is not None:
            check_fraction("existence_thr", existence_thr)
        check_choice("resize", resize, get_args(ResizedValues))
        self.mask_thr = mask_thr
        self.resize = resize
        self.existence_thr = existence_thr
        self.keep_rejected = keep_rejected

    def __call__(
        self,
        sample: GroundingDataSample,
        mask_logits: Tensor,
        *,
        existence: float,
        no_target: bool,
        text: str | None = None,
    ) -> None:
        """Write the prediction into a sample, in the original frame.

        Args:
            sample: Sample with `img_shape` and `ori_shape`.
            mask_logits: Mask logits (M, H, W) of M tokens, at the size of the padded input.
            existence: Probability that there is a target.
            no_target: Whether the language model decided that there is no target.
            text: Text that the model generated. If `None`, none is stored.
        """
        sample.set_metainfo({"pred_frame": "original"})
        if self.existence_thr is not None:
            no_target = existence < self.existence_thr
        size = (sample.ori_shape[0], sample.ori_shape[1])
        masks = torch.zeros((0, *size), dtype=torch.bool)
        if len(mask_logits) and (not no_target or self.keep_rejected):
            masks = self._resize_masks(mask_logits, sample.img_shape, size).cpu()
            masks = masks[masks.flatten(1).any(1)]
        rles = encode_masks(masks)
        sample.pred_merged_mask = merge_rles(rles, size)
        sample.pred_instances = InstanceData(
            boxes_xyxy=masks_to_boxes_xyxy(masks),
            scores=torch.full((len(masks),), existence),
            masks=rles,
        )
        sample.pred_existence = existence
        sample.pred_no_target = no_target
        if text is not None:
            sample.set_metainfo({"pred_text": text})

    def _resize_masks(
        self, mask_logits: Tensor, img_shape: tuple[int, int], size: tuple[int, int]
    ) -> Tensor:
        """Return bool masks (M, *size) of mask logits (M, H, W) of the padded input."""
        content = mask_logits[:, : img_shape[0], : img_shape[1]].float()
        if self.resize == "probabilities":
            content = content.sigmoid()
        resized = resize_mask_logits(content[None], size, align_corners=False)[0]
        probability = resized if self.resize == "probabilities" else resized.sigmoid()
        return probability >= self.mask_thr
