"""Where a model looked: the maps that some systems give beside their answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from mmengine.model import BaseModel
from numpy.typing import NDArray
from torch import Tensor, nn

from vgtoolbox.models.layers import TextInjector

if TYPE_CHECKING:
    from vgtoolbox.inference.inferencer import GroundingInferencer, PreparedPair

# Of the outputs in `tensor` mode, (B, h, w) over the padded input.
_FIELDS = ("attention_pooled",)


@torch.inference_mode()
def attention_maps(
    inferencer: GroundingInferencer, prepared: Sequence[PreparedPair]
) -> list[NDArray[np.float32]] | None:
    """Return a map (h, w) over each image; None where the system has none.

    Of a system that selects queries by attention it is that attention; of one whose backbone reads
    the words (`TextInjector`) how far each patch's attention to them departs from that of the
    image's other patches, the mean over the blocks that read them.

    Args:
        inferencer: Whose model is asked.
        prepared: A batch, as `preprocess` gave it; whole images, none of them cropped.
    """
    model: BaseModel = inferencer.model.eval()
    batch = model.data_preprocessor(inferencer.collate([pair.item for pair in prepared]))
    with inferencer.arithmetic.context(inferencer.device), _injections(model) as injected:
        output = model(batch["inputs"], mode="tensor")
    maps = next((getattr(output, name) for name in _FIELDS if hasattr(output, name)), None)
    if maps is None:
        if not injected:
            return None
        maps = torch.stack([_departure(weights.float()) for weights in injected]).mean(0)
    grids = maps.float().cpu().numpy()
    height, width = batch["inputs"]["images"].shape[-2:]
    return [
        _without_padding(grid, pair.item["data_samples"].img_shape, (height, width))
        for grid, pair in zip(grids, prepared, strict=True)
    ]


@contextmanager
def _injections(model: nn.Module) -> Iterator[list[Tensor]]:
    """Note the attention (B, T, h, w) of each block that reads the words, while the model runs."""
    noted: list[Tensor] = []

    def note(module: nn.Module, arguments: tuple[Any, ...]) -> None:
        assert isinstance(module, TextInjector)
        noted.append(module.attention_weights(*arguments))

    readers = [module for module in model.modules() if isinstance(module, TextInjector)]
    handles = [reader.register_forward_pre_hook(note) for reader in readers]
    try:
        yield noted
    finally:
        for handle in handles:
            handle.remove()


def _departure(weights: Tensor) -> Tensor:
    """Return how far attention (B, T, h, w) is from its mean over the patches, (B, h, w).

    Attention to single words says little: any of them may be where a head rests. What tells
    targets is that their patches attend otherwise than the rest.
    """
    return (weights - weights.mean((2, 3), keepdim=True)).abs().sum(1)


def _without_padding(
    grid: NDArray[np.float32], shape: tuple[int, int], padded: tuple[int, int]
) -> NDArray[np.float32]:
    """Cut a map (h, w) of the padded input down to the image in it."""
    height = max(1, round(grid.shape[0] * shape[0] / padded[0]))
    width = max(1, round(grid.shape[1] * shape[1] / padded[1]))
    return grid[:height, :width]
