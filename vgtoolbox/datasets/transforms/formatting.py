"""The end of a pipeline: what the model reads, and what it is compared with."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.structures import InstanceData

from vgtoolbox.datasets.transforms.sample import Results
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
)


@TRANSFORMS.register_module()
class PackGroundingInputs:
    """Pack a sample into `inputs` (tensors that the model reads) and `data_samples` (all else).

    The result is `{"inputs": {"image": (3, H, W) uint8, "token_ids": (T,), "text_padding_mask":
    (T,)}, "data_samples": GroundingDataSample}`. The tokens are not repeated in the sample: between
    processes each tensor costs a file handle.
    """

    def __call__(self, results: Results) -> dict[str, Any]:
        """Pack."""
        image = results["image"].as_subclass(torch.Tensor).contiguous()
        inputs = {"image": image}
        for key in ("token_ids", "text_padding_mask"):
            if key in results:
                inputs[key] = results[key]
        sample = GroundingDataSample(metainfo=_metainfo(results))
        if "boxes" in results:
            sample.gt_instances = InstanceData(
                boxes_xyxy=results["boxes"].as_subclass(torch.Tensor),
                masks=results["masks"].as_subclass(torch.Tensor),
            )
        if "boxes_ori" in results:
            sample.gt_instances_ori = InstanceData(
                boxes_xyxy=results["boxes_ori"], masks=results["rles_ori"]
            )
        return {"inputs": inputs, "data_samples": sample}


def _metainfo(results: Results) -> dict[str, Any]:
    """Gather what is known of the sample."""
    meta = {key: results[key] for key in _META_KEYS if key in results}
    meta["expressions"] = tuple(results.get("expressions", ()))
    meta["img_shape"] = results.get("img_shape", tuple(results["image"].shape[-2:]))
    meta["scale_factor"] = results.get("scale_factor", (1.0, 1.0))
    meta["flip"] = results.get("flip", False)
    return meta
