"""A batch to measure or export a model with, through its own pipeline, without a data set."""

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
SIZE = (480, 640)  # the commonest of COCO


@TOKENIZERS.register_module()
class WordTokenizer(ExpressionTokenizer):
    """One token a word: stands in for a tokenizer whose file is not at hand.

    What a model costs depends on the number of tokens, not on which they are.
    """

    bos_id, pad_id, eos_id, unk_id = 0, 1, 2, 3
    vocab_size = 64

    def encode(self, text: str) -> list[int]:
        """Return one id a word, by its length."""
        return [4 + len(word) % (self.vocab_size - 4) for word in text.split()]

    def decode(self, token_ids: Tensor) -> str:
        """Return as many placeholders as there are words."""
        return " ".join("word" for token in token_ids.tolist() if token > self.unk_id)


def load_for_measurement(
    config: str | Path, checkpoint: str | Path | None, options: Mapping[str, Any] | None = None
) -> tuple[LoadedGrounder, list[str]]:
    """Build a model as `load_grounder` does, with a stand-in for tokenizers that are missing.

    Returns:
        The model with its pipeline, and the tokenizer files that were missing.
    """
    cfg = load_config(config)
    for key, value in (options or {}).items():
        override(cfg, key, value)
    content = copy.deepcopy(cfg.to_dict())
    missing = []
    if checkpoint is None:  # a released checkpoint may carry the file
        for holder in _tokenizer_holders(content):
            missing.append(holder["tokenizer"]["model_file"])
            holder["tokenizer"] = {"type": "WordTokenizer"}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="no checkpoint")
        return load_grounder(content, checkpoint), sorted(set(missing))


def make_batch(loaded: LoadedGrounder, batch_size: int) -> dict[str, Any]:
    """Return a collated batch: pictures of noise, one expression, one target each."""
    if batch_size < 1:
        raise ValueError(f"batch_size must be 1 or more, got {batch_size}")
    return loaded.collate([loaded.pipeline(_record(index)) for index in range(batch_size)])


def make_inputs(loaded: LoadedGrounder, batch_size: int) -> dict[str, Tensor]:
    """Return what `tensor` reads, for such a batch: on the model's device, normalised."""
    with torch.no_grad():
        return loaded.model.data_preprocessor(make_batch(loaded, batch_size))["inputs"]


def _record(index: int) -> dict[str, Any]:
    height, width = SIZE
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
    """Yield the dicts whose `tokenizer` names a model file that is not there."""
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
