"""Pack the inputs and the ground truth of a sample, at the end of a pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.structures import InstanceData

from vgtoolbox.datasets.transforms.sample import Results, decode_targets, plain_boxes
from vgtoolbox.registry import TRANSFORMS
from vgtoolbox.structures import GroundingDataSample

_META_KEYS = (
    "sample_idx",
    "sample_id",
    "img_path",
    "image_id",
    "split",
    "ori_shape",
    "expression",
    "conversations",
    # Keys of some benchmarks only.
    "correction",
    "ignore_mask_ori",
    "query_kind",
    "source",
)


@TRANSFORMS.register_module()
class PackGroundingInputs:
    """Pack a sample into `inputs` (tensors for the model) and `data_samples` (everything else).

    The result is `{"inputs": {"image": (3, H, W) uint8, "token_ids": (T,), "text_padding_mask":
    (T,), "views": {name: (3, h, w) uint8}}, "data_samples": GroundingDataSample}`. The tokens are
    not repeated in the sample because each tensor costs a file handle when it is sent between
    processes. The sample has the sizes (h, w) of the views as `view_shapes`.

    Args:
        views: Names of further images (3, h, w) for the model, as given to `AddView`.
    """

    def __init__(self, *, views: Sequence[str] = ()) -> None:
        self.views = tuple(views)

    def __call__(self, results: Results) -> dict[str, Any]:
        """Pack."""
        decode_targets(results)
        inputs: dict[str, Any] = {"image": _plain_image(results["image"])}
        if self.views:
            inputs["views"] = {name: _plain_image(results[name]) for name in self.views}
        for key in ("token_ids", "text_padding_mask"):
            if key in results:
                inputs[key] = results[key]
        sample = GroundingDataSample(metainfo=_metainfo(results))
        if self.views:
            shapes = {name: tuple(each.shape[-2:]) for name, each in inputs["views"].items()}
            sample.set_metainfo({"view_shapes": shapes})
        if "boxes" in results:
            targets = InstanceData(boxes_xyxy=plain_boxes(results))
            if "masks" in results:
                targets.masks = results["masks"].as_subclass(torch.Tensor)
            sample.gt_instances = targets
        if "boxes_ori" in results:
            targets = InstanceData(boxes_xyxy=results["boxes_ori"])
            if "rles_ori" in results:
                targets.masks = results["rles_ori"]
            sample.gt_instances_ori = targets
        return {"inputs": inputs, "data_samples": sample}


def _plain_image(image: torch.Tensor) -> torch.Tensor:
    """Return an image (3, H, W) as a plain tensor."""
    return image.as_subclass(torch.Tensor).contiguous()


def _metainfo(results: Results) -> dict[str, Any]:
    """Collect the metadata of the sample."""
    meta = {key: results[key] for key in _META_KEYS if key in results}
    meta["expressions"] = tuple(results.get("expressions", ()))
    meta["img_shape"] = results.get("img_shape", tuple(results["image"].shape[-2:]))
    meta["scale_factor"] = results.get("scale_factor", (1.0, 1.0))
    meta["flip"] = results.get("flip", False)
    if "offset" in results:
        meta["offset"] = results["offset"]
    return meta
