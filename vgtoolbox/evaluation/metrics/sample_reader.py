"""Read the rows that metrics aggregate from the data samples of mmengine's evaluator."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from mmengine.structures import BaseDataElement
from torch import Tensor

from vgtoolbox.evaluation.functional import BoxRow, MaskRow, compare_masks
from vgtoolbox.structures import (
    RLE,
    Frame,
    decode_masks,
    encode_masks,
    merge_rles,
    resize_masks,
)

Fields = Mapping[str, Any]
"""A `GroundingDataSample` as a plain mapping: meta information and data fields by name."""

_TARGETS = {"original": "gt_instances_ori", "input": "gt_instances"}
_SIZE = {"original": "ori_shape", "input": "img_shape"}


def sample_fields(sample: BaseDataElement | Fields) -> Fields:
    """Return the fields of a sample, which mmengine's evaluator has already turned into a dict."""
    return sample.to_dict() if isinstance(sample, BaseDataElement) else sample


def required(sample: Fields, key: str) -> Any:
    """Return a field of the sample.

    Raises:
        KeyError: It is missing.
    """
    if key not in sample:
        raise KeyError(
            f"sample {sample.get('sample_id', sample.get('sample_idx'))!r} has no {key!r}, which "
            f"the metric needs; its fields: {sorted(sample)}"
        )
    return sample[key]


def check_frame(sample: Fields, frame: Frame) -> None:
    """Raise `ValueError` unless the predictions are in `frame`."""
    found = sample.get("pred_frame", "original")
    if found != frame:
        raise ValueError(
            f"the metric compares in the {frame} frame, but the predictions of sample "
            f"{sample.get('sample_id')!r} are in the {found} frame; set frame={found!r} on the "
            f"metric, or let the model predict in the {frame} frame"
        )


def target_boxes_xyxy(sample: Fields, frame: Frame) -> Tensor:
    """Return the target boxes (N, 4) in `frame`."""
    return required(sample, _TARGETS[frame])["boxes_xyxy"].cpu()


def target_masks(sample: Fields, frame: Frame) -> list[RLE]:
    """Return the N target masks in `frame`.

    Raises:
        ValueError: A target has no mask.
    """
    targets = required(sample, _TARGETS[frame])
    masks = targets.get("masks", [])
    if len(masks) != len(targets["boxes_xyxy"]):
        raise ValueError(
            f"sample {sample.get('sample_id')!r} has {len(targets['boxes_xyxy'])} targets but "
            f"{len(masks)} target masks; a mask metric needs one per target"
        )
    # Transforms make them dense in the input frame; in the original one they are run lengths.
    return encode_masks(masks) if isinstance(masks, Tensor) else masks


def target_mask(sample: Fields, frame: Frame) -> RLE:
    """Return the union of the target masks in `frame`; empty for a no-target sample."""
    height, width = required(sample, _SIZE[frame])
    masks = target_masks(sample, frame)
    return masks[0] if len(masks) == 1 else merge_rles(masks, (height, width))


def ignore_mask(sample: Fields, frame: Frame) -> RLE | None:
    """Return the pixels that the annotation marks as ignored in `frame`, `None` if there are none.

    Raises:
        ValueError: The input was flipped or cropped, so pixels cannot be mapped by resizing.
    """
    mask: RLE | None = sample.get("ignore_mask_ori")
    if mask is None or frame == "original":
        return mask
    if sample.get("flip", False) or "offset" in sample:
        raise ValueError(
            f"sample {sample.get('sample_id')!r} was flipped or cropped, so its ignored pixels are "
            "unknown in the input frame; remove random transforms from the test pipeline"
        )
    height, width = required(sample, _SIZE[frame])
    (resized,) = encode_masks(resize_masks(decode_masks([mask]), (height, width)))
    return resized


def image_group(sample: Fields) -> str:
    """Return the `group` of rows of the same image: its path."""
    return str(required(sample, "img_path"))


def ref_group(sample: Fields) -> str:
    """Return the `group` of rows of the same ref: `ref_id`, or `<ref>` of `<ref>_<sentence>`."""
    if "ref_id" in sample:
        return str(sample["ref_id"])
    return str(required(sample, "sample_id")).rpartition("_")[0]


def predicted_boxes(sample: Fields) -> tuple[Tensor, Tensor]:
    """Return the predicted boxes (Q, 4) and their scores (Q,)."""
    predicted = required(sample, "pred_instances")
    return predicted["boxes_xyxy"].detach().cpu(), predicted["scores"].detach().cpu()


def mask_row(
    sample: Fields, frame: Frame, *, group: Hashable = None, ignore: RLE | None = None
) -> MaskRow:
    """Compare the merged mask with the union of the targets."""
    check_frame(sample, frame)
    return compare_masks(
        required(sample, "pred_merged_mask"),
        target_mask(sample, frame),
        no_target=len(target_boxes_xyxy(sample, frame)) == 0,
        pred_no_target=bool(sample.get("pred_no_target", False)),
        ignore=ignore,
        top_score=_top_score(sample),
        group=group,
    )


def box_row(sample: Fields, frame: Frame) -> BoxRow:
    """Return the predicted boxes and the target boxes."""
    check_frame(sample, frame)
    boxes_xyxy, scores = predicted_boxes(sample)
    return BoxRow(
        boxes_xyxy=boxes_xyxy,
        scores=scores,
        target_boxes_xyxy=target_boxes_xyxy(sample, frame),
    )


def _top_score(sample: Fields) -> float | None:
    """Return the highest instance score; 0 without an instance, `None` if the system has none."""
    if "pred_instances" not in sample:
        return None
    _, scores = predicted_boxes(sample)
    return float(scores.max()) if len(scores) else 0.0
