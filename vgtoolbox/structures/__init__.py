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
from vgtoolbox.structures.thresholds import PUBLISHED_SCORE_THR

__all__ = [
    "PUBLISHED_SCORE_THR",
    "RLE",
    "BatchTargets",
    "Frame",
    "GroundingDataSample",
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
    "resize_mask_logits",
    "resize_masks",
    "rle_areas",
    "rle_boxes_xyxy",
    "rle_iou",
    "segmentation_to_rle",
]
