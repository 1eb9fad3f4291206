"""Attention maps of a model, cut down to the image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from vgtoolbox.inference.inferencer import GroundingInferencer
from vgtoolbox.inference.preparing import PreparedPair


@torch.inference_mode()
def attention_maps(
    inferencer: GroundingInferencer, prepared: Sequence[PreparedPair]
) -> list[NDArray[np.float32]] | None:
    """Return a map (h, w) over each image, or `None` if the system has none.

    Args:
        inferencer: Inferencer whose model is run.
        prepared: Batch from `GroundingInferencer.preprocess`, of whole images without a crop.
    """
    model = inferencer.model
    batch = model.data_preprocessor(inferencer.collate([pair.item for pair in prepared]))
    with inferencer.precision_policy.context(inferencer.device):
        maps = model.attention_maps(batch["inputs"])
    if maps is None:
        return None
    grids = maps.float().cpu().numpy()
    height, width = batch["inputs"]["images"].shape[-2:]
    return [
        _without_padding(grid, pair.item["data_samples"].img_shape, (height, width))
        for grid, pair in zip(grids, prepared, strict=True)
    ]


def _without_padding(
    grid: NDArray[np.float32], shape: tuple[int, int], padded: tuple[int, int]
) -> NDArray[np.float32]:
    """Cut a map (h, w) of the padded input down to the image."""
    height = max(1, round(grid.shape[0] * shape[0] / padded[0]))
    width = max(1, round(grid.shape[1] * shape[1] / padded[1]))
    return grid[:height, :width]
