"""Expressions, names of images, and tokenizer files."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from fuzzing.annotation_targets import IMAGE, write_images
from fuzzing.target import ImpossibleValueError, Target
from vgtoolbox.datasets import BEiT3Tokenizer, SentencePieceChatTokenizer
from vgtoolbox.datasets.transforms.text import CLEANINGS, CleanExpression, swap_left_and_right
from vgtoolbox.inference.inputs.images import read_image
from vgtoolbox.inference.inputs.pairing import pair_up
from vgtoolbox.inference.inputs.sources import is_url, list_images
from vgtoolbox.inference.preparing import prepare_pair
from vgtoolbox.shapes.tokenizer import train_tokenizer
from vgtoolbox.utils.image_files import ImageFileError

# `infer` and `demo` report each of these in one line.
ERRORS = (ValueError, FileNotFoundError, ImageFileError)
_MAX_ITEMS = 300
"""Items of a list that are used: each costs the time of a whole input."""
_SENTENCES = ("the red circle", "a large blue square left of two dogs", "the <seg> on the right")


@lru_cache(maxsize=1)
def _tokenizer(folder: Path) -> BEiT3Tokenizer:
    return BEiT3Tokenizer(folder / "tokenizer.spm")


def _with_tokenizer(folder: Path) -> None:
    write_images(folder)
    train_tokenizer(_SENTENCES, folder / "tokenizer.spm")


def _json_list(path: Path) -> list[Any]:
    """Return the items of a list; a file that is not JSON has none."""
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return []
    return content if isinstance(content, list) else [content]


def _use_expressions(folder: Path) -> None:
    pixels = read_image(folder / IMAGE)
    for text in _json_list(folder / "expressions.json")[:_MAX_ITEMS]:
        if not isinstance(text, str):
            continue
        swapped = swap_left_and_right(text)
        # The first swap corrects spelling, such as "lefty" of "lefy".
        if swap_left_and_right(swap_left_and_right(swapped)) != swapped:
            raise ImpossibleValueError(f"swapping left and right twice changes {swapped!r}")
        for variant in CLEANINGS:
            sample = {"expression": text, "sample_id": "1", "img_path": IMAGE}
            cleaned = CleanExpression(variant=variant)(sample)["expression"]
            _tokenizer(folder)(cleaned, 16)
        for pair in pair_up([folder / IMAGE], text):
            prepare_pair(pixels, pair, IMAGE, pipeline=lambda record: record)


def _use_names(folder: Path) -> None:
    for name in _json_list(folder / "names.json")[:_MAX_ITEMS]:
        if not isinstance(name, str) or is_url(name) or not name:
            continue
        for image in list_images([folder / name])[:10]:
            read_image(image)


def _read_pieces(folder: Path) -> None:
    tokenizer = BEiT3Tokenizer(folder / "model.spm")
    tokenizer("the red circle", 16)
    chat = SentencePieceChatTokenizer(model_file=folder / "model.spm")
    chat.decode(chat.encode("the red circle"))


def _read_added(folder: Path) -> None:
    tokenizer = SentencePieceChatTokenizer(model_file=folder / "tokenizer.spm")
    tokenizer.decode(tokenizer.encode("the <seg> circle"))


TARGETS = {
    "spm-tokenizer": Target("model.spm", _read_pieces, ERRORS),
    "added-tokens": Target("added_tokens.json", _read_added, ERRORS, _with_tokenizer),
    "expressions": Target(
        "expressions.json", _use_expressions, ERRORS, _with_tokenizer, names_file=False
    ),
    "image-names": Target("names.json", _use_names, ERRORS, write_images, names_file=False),
}
