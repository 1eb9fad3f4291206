"""Where a model looked: the maps that some systems give beside their answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

if TYPE_CHECKING:
    from vgtoolbox.inference.inferencer import GroundingInferencer, PreparedPair

# Of the outputs in `tensor` mode, (B, h, w) over the padded input.
_FIELDS = ("attention_pooled",)


@torch.inference_mode()
def attention_maps(
    inferencer: GroundingInferencer, prepared: Sequence[PreparedPair]
) -> list[NDArray[np.float32]] | None:
    """Return a map (h, w) over each image; None where the system has none.

    Args:
        inferencer: Whose model is asked.
        prepared: A batch, as `preprocess` gave it; whole images, none of them cropped.
    """
    model = inferencer.model.eval()
    batch = model.data_preprocessor(inferencer.collate([pair.item for pair in prepared]))
    output = model(batch["inputs"], mode="tensor")
    field = next((name for name in _FIELDS if hasattr(output, name)), None)
    if field is None:
        return None
    maps = getattr(output, field).float().cpu().numpy()
    height, width = batch["inputs"]["images"].shape[-2:]
    return [
        _without_padding(grid, pair.item["data_samples"].img_shape, (height, width))
        for grid, pair in zip(maps, prepared, strict=True)
    ]


def _without_padding(
    grid: NDArray[np.float32], shape: tuple[int, int], padded: tuple[int, int]
) -> NDArray[np.float32]:
    """Cut a map (h, w) of the padded input down to the image in it."""
    height = max(1, round(grid.shape[0] * shape[0] / padded[0]))
    width = max(1, round(grid.shape[1] * shape[1] / padded[1]))
    return grid[:height, :width]
