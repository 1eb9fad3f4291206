"""From a data sample, as mmengine's evaluator hands it over, to the rows that metrics aggregate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from mmengine.structures import BaseDataElement
from torch import Tensor

from vgtoolbox.evaluation.functional import BoxRow, MaskRow, compare_masks
from vgtoolbox.structures import RLE, encode_masks, merge_rles

Frame = Literal["original", "input"]
Fields = Mapping[str, Any]
"""A `GroundingDataSample` as a plain mapping: meta information and data fields by name."""

_TARGETS = {"original": "gt_instances_ori", "input": "gt_instances"}
_SIZE = {"original": "ori_shape", "input": "img_shape"}


def sample_fields(sample: BaseDataElement | Fields) -> Fields:
    """Return the fields of a sample; mmengine's evaluator has already turned it into a dict."""
    return sample.to_dict() if isinstance(sample, BaseDataElement) else sample


def required(sample: Fields, key: str) -> Any:
    """Return a field of the sample.

    Raises:
        KeyError: It is missing.
    """
    if key not in sample:
        raise KeyError(
            f"sample {sample.get('sample_id', sample.get('sample_idx'))!r} has no {key!r}, which "
            f"the metric reads; it has {sorted(sample)}"
        )
    return sample[key]


def check_frame(sample: Fields, frame: Frame) -> None:
    """Raise ValueError where predictions stand in another frame than `frame`."""
    found = sample.get("pred_frame", "original")
    if found != frame:
        raise ValueError(
            f"the metric compares in the {frame} frame, but the predictions of sample "
            f"{sample.get('sample_id')!r} stand in the {found} frame: set frame={found!r} on the "
            f"metric, or let the model predict in the {frame} frame"
        )


def target_boxes_xyxy(sample: Fields, frame: Frame) -> Tensor:
    """Return the target boxes (N, 4) in `frame`."""
    return required(sample, _TARGETS[frame])["boxes_xyxy"].cpu()


def target_mask(sample: Fields, frame: Frame) -> RLE:
    """Return the union of the target masks in `frame`; empty for a no-target sample."""
    targets = required(sample, _TARGETS[frame])
    height, width = required(sample, _SIZE[frame])
    masks = targets.get("masks", [])
    if len(masks) != len(targets["boxes_xyxy"]):
        raise ValueError(
            f"sample {sample.get('sample_id')!r} has {len(targets['boxes_xyxy'])} targets but "
            f"{len(masks)} target masks; a mask metric needs one each"
        )
    # Dense in the input frame, where transforms moved them; run lengths in the original one.
    rles = encode_masks(masks) if isinstance(masks, Tensor) else masks
    return merge_rles(rles, (height, width))


def mask_row(sample: Fields, frame: Frame) -> MaskRow:
    """Compare the merged mask with the union of the targets."""
    check_frame(sample, frame)
    return compare_masks(
        required(sample, "pred_merged_mask"),
        target_mask(sample, frame),
        no_target=len(target_boxes_xyxy(sample, frame)) == 0,
        pred_no_target=bool(sample.get("pred_no_target", False)),
    )


def box_row(sample: Fields, frame: Frame) -> BoxRow:
    """Put the predicted boxes beside the target boxes."""
    check_frame(sample, frame)
    predicted = required(sample, "pred_instances")
    return BoxRow(
        boxes_xyxy=predicted["boxes_xyxy"].detach().cpu(),
        scores=predicted["scores"].detach().cpu(),
        target_boxes_xyxy=target_boxes_xyxy(sample, frame),
    )
