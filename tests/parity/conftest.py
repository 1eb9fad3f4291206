"""Fixtures: recorded outputs of the published models, and the weights of the recordings.

The files are in `data/`; the environment variable `VGTOOLBOX_PARITY` names another folder. A test
module names the files that it reads by two glob patterns, `RECORDINGS` and `LAYOUTS`; its tests run
once per matching file, so that a new file needs no new code.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from tests.parity.published_state_dict import published_state_dict

FOLDER = Path(os.environ.get("VGTOOLBOX_PARITY", Path(__file__).with_name("data")))
PATTERNS = {"recording": "RECORDINGS", "layout": "LAYOUTS"}


def matching_files(folder: Path, pattern: str) -> list[Path]:
    """Return the files of a folder that match a pattern; at least one must."""
    files = sorted(folder.glob(pattern))
    if not files:
        raise FileNotFoundError(
            f"{folder} must contain files {pattern!r}, got none. Restore tests/parity/data from "
            "the repository, or set VGTOOLBOX_PARITY to a folder that has them."
        )
    return files


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for fixture, constant in PATTERNS.items():
        if fixture in metafunc.fixturenames:
            files = matching_files(FOLDER, getattr(metafunc.module, constant))
            metafunc.parametrize(fixture, files, ids=lambda path: path.stem, scope="module")


@pytest.fixture(scope="session")
def parity_folder() -> Path:
    """Return the folder of the recorded outputs."""
    return FOLDER


@pytest.fixture(scope="session")
def published_weights() -> Callable[[str, int], dict[str, torch.Tensor]]:
    """Return a function that makes the state dict of a layout by its name and seed."""

    def make(layout: str, seed: int) -> dict[str, torch.Tensor]:
        return published_state_dict(FOLDER / f"{layout}.tsv", seed)

    return make


class IdsTokenizer:
    """Chat tokenizer whose texts are ids and special tokens, for recordings that begin with ids.

    Args:
        special_tokens: Id of each special token.
        bos_id: Id of the token that begins a text. If `None`, there is none.
        eos_id: Id of the token that ends an answer.
        pad_id: Id of the padding.
    """

    def __init__(
        self, special_tokens: dict[str, int], *, bos_id: int | None, eos_id: int, pad_id: int = 0
    ) -> None:
        self.special_tokens = special_tokens
        self.bos_id, self.eos_id, self.pad_id = bos_id, eos_id, pad_id
        self._pattern = re.compile("|".join([*map(re.escape, special_tokens), r"-?\d+"]))

    def token_id(self, token: str) -> int:
        return self.special_tokens[token]

    def encode(self, text: str) -> list[int]:
        found = self._pattern.findall(text)
        return [self.special_tokens[t] if t in self.special_tokens else int(t) for t in found]

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the text of ids, with special tokens by name."""
        names = {token_id: token for token, token_id in self.special_tokens.items()}
        return " ".join(names.get(token_id, str(token_id)) for token_id in map(int, token_ids))
