"""From the mask of one token to a prediction in the original image."""

from __future__ import annotations

from typing import Literal

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from vgtoolbox.registry import TASK_UTILS
from vgtoolbox.structures import (
    GroundingDataSample,
    empty_rle,
    encode_masks,
    masks_to_boxes_xyxy,
    resize_mask_logits,
)
from vgtoolbox.utils.choices import check_choice, check_fraction


@TASK_UTILS.register_module()
class TokenMaskPostprocessor:
    """Resize a mask to the original image, threshold it, and take its extent for the box.

    Args:
        mask_thr: Least probability of a foreground pixel.
        resize: "logits", or "probabilities" as the published MLLMSeg does.
        existence_thr: Least probability that there is a target; None, as published, leaves the
            decision to the language model.
        keep_rejected: Keep the mask of an expression that is rejected (the "gsva" protocol of GRES
            credits it); otherwise it is empty.
    """

    def __init__(
        self,
        *,
        mask_thr: float = 0.5,
        resize: Literal["logits", "probabilities"] = "logits",
        existence_thr: float | None = None,
        keep_rejected: bool = False,
    ) -> None:
        if not 0 < mask_thr < 1:
            raise ValueError(f"mask_thr must be between 0 and 1, got {mask_thr}")
        if existence_thr is not None:
            check_fraction("existence_thr", existence_thr)
        check_choice("resize", resize, ("logits", "probabilities"))
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
        """Fill the predictions of a sample, in the original frame.

        Args:
            sample: Knows its frames.
            mask_logits: (H, W), at the size of the padded input.
            existence: Probability that there is a target.
            no_target: The language model's decision that there is none.
            text: What the model wrote.
        """
        sample.set_metainfo({"pred_frame": "original"})
        if self.existence_thr is not None:
            no_target = existence < self.existence_thr
        size = (sample.ori_shape[0], sample.ori_shape[1])
        if no_target and not self.keep_rejected:
            mask = torch.zeros((1, *size), dtype=torch.bool)
        else:
            mask = self._mask(mask_logits, sample.img_shape, size)[None].cpu()
        rles = encode_masks(mask) if bool(mask.any()) else [empty_rle(size)]
        boxes_xyxy = masks_to_boxes_xyxy(mask)
        kept = bool(mask.any()) and (not no_target or self.keep_rejected)
        sample.pred_merged_mask = rles[0]
        sample.pred_instances = InstanceData(
            boxes_xyxy=boxes_xyxy[:kept],
            scores=torch.tensor([existence])[:kept],
            masks=rles[:kept],
        )
        sample.pred_existence = existence
        sample.pred_no_target = no_target
        if text is not None:
            sample.set_metainfo({"pred_text": text})

    def _mask(
        self, mask_logits: Tensor, img_shape: tuple[int, int], size: tuple[int, int]
    ) -> Tensor:
        """Return the mask (*size) bool of mask logits (H, W)."""
        content = mask_logits[: img_shape[0], : img_shape[1]].float()
        if self.resize == "probabilities":
            content = content.sigmoid()
        resized = resize_mask_logits(content[None, None], size, align_corners=False)[0, 0]
        probability = resized if self.resize == "probabilities" else resized.sigmoid()
        return probability >= self.mask_thr
