"""Build a model and a synthetic batch for profiling and export, without a dataset."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vgtoolbox.datasets.tokenizers.expression import ExpressionTokenizer
from vgtoolbox.engine.config import load_config, override
from vgtoolbox.inference.loading import LoadedGrounder, load_grounder
from vgtoolbox.registry import TOKENIZERS

EXPRESSION = "the second person from the left in a red jacket"
IMAGE_SIZE = (480, 640)  # (height, width), the most common one in COCO


@TOKENIZERS.register_module()
class WordTokenizer(ExpressionTokenizer):
    """Tokenizer with one token per word, used if the file of the real tokenizer is missing.

    The cost of a forward pass depends on the number of tokens, not on their ids.
    """

    bos_id, pad_id, eos_id, unk_id = 0, 1, 2, 3
    vocab_size = 64

    def encode(self, text: str) -> list[int]:
        """Return one id per word, computed from the length of the word."""
        return [4 + len(word) % (self.vocab_size - 4) for word in text.split()]

    def decode(self, token_ids: Tensor) -> str:
        """Return one placeholder per word."""
        return " ".join("word" for token in token_ids.tolist() if token > self.unk_id)


def load_for_measurement(
    config: str | Path, checkpoint: str | Path | None, options: Mapping[str, Any] | None = None
) -> tuple[LoadedGrounder, list[str]]:
    """Build a model like `load_grounder`, with `WordTokenizer` in place of missing tokenizers.

    Args:
        config: Path of the config.
        checkpoint: Path of the checkpoint. If `None`, the weights are random, without a warning.
        options: Overrides of the config by dotted key.

    Returns:
        The model with its pipeline, and the paths of the missing tokenizer files.
    """
    cfg = load_config(config)
    for key, value in (options or {}).items():
        override(cfg, key, value)
    content = copy.deepcopy(cfg.to_dict())
    missing = []
    if checkpoint is None:  # a released checkpoint may contain the file
        for holder in _tokenizer_holders(content):
            missing.append(holder["tokenizer"]["model_file"])
            holder["tokenizer"] = {"type": "WordTokenizer"}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="no checkpoint")
        return load_grounder(content, checkpoint), sorted(set(missing))


def make_batch(loaded: LoadedGrounder, batch_size: int) -> dict[str, Any]:
    """Return a collated batch of noise images with one expression and one target each.

    Raises:
        ValueError: `batch_size` is below 1.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be 1 or more, got {batch_size}")
    return loaded.collate([loaded.pipeline(_record(index)) for index in range(batch_size)])


def make_inputs(loaded: LoadedGrounder, batch_size: int) -> dict[str, Tensor]:
    """Return the inputs of `tensor` mode for a batch of `make_batch`: normalized, on the device."""
    with torch.no_grad():
        return loaded.model.data_preprocessor(make_batch(loaded, batch_size))["inputs"]


def _record(index: int) -> dict[str, Any]:
    height, width = IMAGE_SIZE
    rng = np.random.default_rng(index)
    box = [width // 4, height // 4, width // 2, height // 2]
    x, y, w, h = box
    polygon = [x, y, x + w, y, x + w, y + h, x, y + h]
    return {
        "image": rng.integers(0, 256, (height, width, 3), dtype=np.uint8),
        "img_path": f"noise_{index}",
        "image_id": index,
        "sample_idx": index,
        "sample_id": str(index),
        "split": "",
        "expressions": [EXPRESSION],
        "height": height,
        "width": width,
        "targets": [{"bbox": box, "segmentation": [polygon], "ann_id": index}],
        "rng": rng,
    }


def _tokenizer_holders(node: Any) -> Iterator[dict[str, Any]]:
    """Yield the dicts whose `tokenizer` names a model file that does not exist."""
    if isinstance(node, dict):
        tokenizer = node.get("tokenizer")
        if isinstance(tokenizer, dict) and "model_file" in tokenizer:
            if not Path(tokenizer["model_file"]).is_file():
                yield node
            return
        children: Sequence[Any] = list(node.values())
    else:
        children = list(node) if isinstance(node, (list, tuple)) else []
    for child in children:
        yield from _tokenizer_holders(child)
