"""Fill the tensor layout of a published checkpoint with reproducible numbers.

A layout file lists every tensor of a checkpoint as `key <TAB> shape <TAB> dtype`; empty lines and
lines that begin with `#` are comments. The numbers depend on the key and the seed only, not on the
platform or the version of torch. The outputs in `data/` were recorded from the published models
filled with these numbers.
"""

from __future__ import annotations

import json
import math
import re
import zlib
from pathlib import Path

import numpy as np
import torch

# Heads that a published model shares between decoder layers but stores once per layer.
SHARED_HEAD = re.compile(r"(class_embed|bbox_embed)\.\d+\.")
# SegLLM's decoder has separate heads per layer: the same numbers with a scale for each layer.
LAYER_HEAD = re.compile(r"hipie\..*(class_embed|bbox_embed)\.(?P<layer>\d+)\.")
EMBEDDING_WORDS = ("embed_positions", "text_embed", "token", "position")


def published_state_dict(layout_file: Path, seed: int) -> dict[str, torch.Tensor]:
    """Return a state dict in a published layout.

    Args:
        layout_file: Layout file, one tensor per line.
        seed: Seed of the numbers.

    Returns:
        Tensors by their published keys, in the order of the file.
    """
    state = {}
    for line in layout_file.read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        key, shape, dtype = line.split("\t")[:3]
        state[key] = _tensor(key, tuple(json.loads(shape)), getattr(torch, dtype), seed)
    return state


def _tensor(key: str, shape: tuple[int, ...], dtype: torch.dtype, seed: int) -> torch.Tensor:
    """Return the numbers of one tensor; integers are zeros, floats are always float32."""
    if not dtype.is_floating_point:
        return torch.zeros(shape, dtype=dtype)
    if key.endswith("empty_weight"):  # class weights: target, background
        return torch.tensor([1.0, 0.1])[: shape[0]]
    if key.endswith("init_pos"):  # DySample: the 4 sub-pixel offsets of 4 groups, x before y
        x, y = [-0.25, 0.25, -0.25, 0.25], [-0.25, -0.25, 0.25, 0.25]
        return torch.tensor(x * 4 + y * 4).reshape(shape)
    name = SHARED_HEAD.sub(r"\1.0.", key)
    rng = np.random.Generator(np.random.PCG64([seed, zlib.crc32(name.encode())]))
    numbers = _scaled(key, rng.standard_normal(shape, dtype=np.float32))
    if match := LAYER_HEAD.search(key):
        numbers = numbers * np.float32(1 + 0.1 * int(match["layer"]))
    return torch.from_numpy(numbers)


def _scaled(key: str, numbers: np.ndarray) -> np.ndarray:
    """Scale standard normal numbers such that the outputs of a deep model stay finite."""
    if key.endswith("running_var"):
        return 0.5 + np.abs(numbers)
    if key.endswith(("running_mean", "bias")):
        return 0.05 * numbers
    if numbers.ndim == 1:  # the weight of a norm, a layer scale
        return 1.0 + 0.1 * numbers
    if any(word in key for word in EMBEDDING_WORDS):
        return 0.2 * numbers
    fan_in = math.prod(numbers.shape[1:]) or 1
    return numbers / np.sqrt(fan_in, dtype=np.float32)
