"""Data structures that all packages share: boxes, masks, coordinate frames, the data sample."""

from vgtoolbox.structures.batch_targets import BatchTargets
from vgtoolbox.structures.boxes import (
    box_iou,
    check_boxes_xyxy,
    clip_boxes,
    convert_boxes,
    denormalize_boxes,
    generalized_box_iou,
    normalize_boxes,
)
from vgtoolbox.structures.conversation import (
    IMAGE_MARK,
    REJECT_MARK,
    TARGET_MARK,
    Conversation,
    Turn,
)
from vgtoolbox.structures.data_sample import GroundingDataSample
from vgtoolbox.structures.frames import Frame, boxes_to_original, mask_logits_to_original
from vgtoolbox.structures.masks import (
    RLE,
    check_rle_size,
    decode_masks,
    decode_masks_resized,
    empty_rle,
    encode_masks,
    intersection_and_union,
    masks_to_boxes_xyxy,
    merge_rles,
    resize_mask_logits,
    resize_masks,
    rle_areas,
    rle_boxes_xyxy,
    rle_iou,
    segmentation_to_rle,
)
from vgtoolbox.structures.prompts import (
    REFERRING_PROMPTS,
    ReferringPrompts,
    plain,
    referring_prompts,
)
from vgtoolbox.structures.thresholds import PUBLISHED_SCORE_THR

__all__ = [
    "IMAGE_MARK",
    "PUBLISHED_SCORE_THR",
    "REFERRING_PROMPTS",
    "REJECT_MARK",
    "RLE",
    "TARGET_MARK",
    "BatchTargets",
    "Conversation",
    "Frame",
    "GroundingDataSample",
    "ReferringPrompts",
    "Turn",
    "box_iou",
    "boxes_to_original",
    "check_boxes_xyxy",
    "check_rle_size",
    "clip_boxes",
    "convert_boxes",
    "decode_masks",
    "decode_masks_resized",
    "denormalize_boxes",
    "empty_rle",
    "encode_masks",
    "generalized_box_iou",
    "intersection_and_union",
    "mask_logits_to_original",
    "masks_to_boxes_xyxy",
    "merge_rles",
    "normalize_boxes",
    "plain",
    "referring_prompts",
    "resize_mask_logits",
    "resize_masks",
    "rle_areas",
    "rle_boxes_xyxy",
    "rle_iou",
    "segmentation_to_rle",
]
