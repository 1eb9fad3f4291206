"""Tokenizers of language models, for text with special tokens.

All have `encode(text)`, `decode(token_ids)`, `token_id(token)`, `bos_id`, `eos_id` and `pad_id`.
Special tokens are found anywhere in a text; the text between two of them is tokenized separately.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

from sentencepiece import SentencePieceProcessor

from vgtoolbox.datasets.tokenizers.added_tokens import read_added_tokens
from vgtoolbox.registry import TOKENIZERS
from vgtoolbox.utils.choices import check_choice
from vgtoolbox.utils.text import check_encodable

DummyPrefix = Literal["segment", "text"]


class UnknownTokenError(KeyError):
    """Error for a special token that the tokenizer does not have."""

    def __str__(self) -> str:
        return str(self.args[0])


@TOKENIZERS.register_module()
class SentencePieceChatTokenizer:
    """Sentencepiece model with special tokens, like the slow tokenizers of InternLM2 and Llama.

    Args:
        model_file: Path of the sentencepiece model, `tokenizer.model` in a published folder.
        special_tokens: Mapping from special token to id, or tokens that get the ids after the
            vocabulary, in order. If `None`, `added_tokens.json` and `tokenizer_config.json` in the
            model's folder are read.
        new_tokens: Further special tokens; those without an id get the next ids.
        stripped_tokens: Special tokens next to which whitespace is removed, on both sides. Slow
            tokenizers of transformers before 4.34 do so around tokens that were added as plain
            strings, and the weights of LISA and its descendants were trained on that.
        dummy_prefix: Texts that get the blank that the model puts in front of a text: each text
            between two special tokens ("segment", as slow tokenizers do with `legacy=True`), or
            only one at the beginning ("text").
        add_bos: Whether texts begin with the model's own begin token.
        eos_token: Token that ends an answer. If `None`, the model's own end token is used.

    Raises:
        FileNotFoundError: `model_file` does not exist.
        ValueError: A stripped token is not a special token, or `dummy_prefix` is unknown.
    """

    def __init__(
        self,
        *,
        model_file: str | Path,
        special_tokens: Mapping[str, int] | Sequence[str] | None = None,
        new_tokens: Sequence[str] = (),
        stripped_tokens: Sequence[str] = (),
        dummy_prefix: DummyPrefix = "segment",
        add_bos: bool = True,
        eos_token: str | None = None,
    ) -> None:
        check_choice("dummy_prefix", dummy_prefix, get_args(DummyPrefix))
        if not Path(model_file).is_file():
            raise FileNotFoundError(
                f"model_file must be a sentencepiece model, got {Path(model_file).resolve()}, "
                "which does not exist; a published language model has tokenizer.model in its "
                "folder, generated data have tokenizer.spm"
            )
        self.model_file = str(model_file)
        self._pieces = SentencePieceProcessor(model_file=self.model_file)
        if special_tokens is None:
            special_tokens = read_added_tokens(Path(model_file).parent)
        if not isinstance(special_tokens, Mapping):
            first = len(self._pieces)
            special_tokens = {token: first + i for i, token in enumerate(special_tokens)}
        self.special_tokens = dict(special_tokens)
        for token in new_tokens:
            self.special_tokens.setdefault(token, self.vocab_size)
        if unknown := sorted(set(stripped_tokens) - self.special_tokens.keys()):
            raise ValueError(
                f"stripped_tokens must be special tokens, got {', '.join(unknown)}; add them to "
                "special_tokens"
            )
        self._stripped = frozenset(stripped_tokens)
        self.dummy_prefix = dummy_prefix
        self._texts = {token_id: token for token, token_id in self.special_tokens.items()}
        self.bos_id = self._pieces.bos_id() if add_bos and self._pieces.bos_id() >= 0 else None
        self.eos_id = self.token_id(eos_token) if eos_token else self._pieces.eos_id()
        self.pad_id = self._pieces.pad_id() if self._pieces.pad_id() >= 0 else self.eos_id

    @property
    def vocab_size(self) -> int:
        """Number of ids: the largest id plus one."""
        return max([len(self._pieces) - 1, *self.special_tokens.values()]) + 1

    def token_id(self, token: str) -> int:
        """Return the id of a special token.

        Raises:
            UnknownTokenError: The tokenizer does not have this token.
        """
        if token in self.special_tokens:
            return self.special_tokens[token]
        piece = self._pieces.piece_to_id(token)
        if piece == self._pieces.unk_id():
            raise UnknownTokenError(
                f"{token!r} is not a token of {self.model_file}; its special tokens: "
                f"{', '.join(self.special_tokens) or 'none'}"
            )
        return piece

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, without the begin token.

        Raises:
            ValueError: The text has half a character (a lone surrogate).
        """
        check_encodable(text)
        ids: list[int] = []
        parts = self._split.split(text) if self._split else [text]
        for i, part in enumerate(parts):  # texts at even positions, special tokens between them
            if i % 2:
                ids.append(self.special_tokens[part])
                continue
            if i and parts[i - 1] in self._stripped:
                part = part.lstrip()
            if i + 1 < len(parts) and parts[i + 1] in self._stripped:
                part = part.rstrip()
            if part:
                ids += self._encode_part(part, is_first=i == 0)
        return ids

    def _encode_part(self, part: str, *, is_first: bool) -> list[int]:
        """Return the ids of a text without special tokens."""
        if is_first or self.dummy_prefix == "segment":
            return self._pieces.encode(part)
        # The unknown token in front takes the blank and is removed again, as in transformers.
        marker = self._pieces.id_to_piece(self._pieces.unk_id())
        return self._pieces.encode(marker + part)[len(self._pieces.encode(marker)) :]

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the text of ids, including special tokens."""
        text = ""
        run: list[int] = []
        for token_id in map(int, token_ids):
            if token_id in self._texts:
                text += self._pieces.decode(run) + self._texts[token_id]
                run = []
            elif 0 <= token_id < len(self._pieces):
                run.append(token_id)
        return text + self._pieces.decode(run)

    @cached_property
    def _split(self) -> re.Pattern[str] | None:
        longest_first = sorted(self.special_tokens, key=len, reverse=True)
        return re.compile(f"({'|'.join(map(re.escape, longest_first))})") if longest_first else None


@TOKENIZERS.register_module()
class HuggingFaceChatTokenizer:
    """Tokenizer that transformers reads from a folder (Qwen2 and others with tokenizer.json).

    Args:
        folder: Folder with `tokenizer.json`, or with `vocab.json` and `merges.txt`.
        new_tokens: Special tokens to add, unless the folder has them already.
        add_bos: Whether texts begin with the tokenizer's own begin token, if it has one.
        eos_token: Token that ends an answer. If `None`, the tokenizer's own end token is used.

    Raises:
        FileNotFoundError: `folder` does not exist.
    """

    def __init__(
        self,
        *,
        folder: str | Path,
        new_tokens: Sequence[str] = (),
        add_bos: bool = False,
        eos_token: str | None = None,
    ) -> None:
        if not Path(folder).is_dir():
            raise FileNotFoundError(
                f"folder must be a tokenizer folder, got {Path(folder).resolve()}, which does not "
                "exist"
            )
        from transformers import AutoTokenizer  # slow to import, and few need it

        self.folder = str(folder)
        self._tokenizer: Any = AutoTokenizer.from_pretrained(
            self.folder, trust_remote_code=False, local_files_only=True
        )
        self._tokenizer.add_tokens(list(new_tokens), special_tokens=True)
        self.bos_id = self._tokenizer.bos_token_id if add_bos else None
        self.eos_id = self.token_id(eos_token) if eos_token else self._tokenizer.eos_token_id
        pad = self._tokenizer.pad_token_id
        self.pad_id = self.eos_id if pad is None else pad

    @property
    def vocab_size(self) -> int:
        """Number of ids."""
        return len(self._tokenizer)

    def token_id(self, token: str) -> int:
        """Return the id of a token.

        Raises:
            UnknownTokenError: The tokenizer does not have this token.
        """
        found = self._tokenizer.get_vocab().get(token)
        if found is None:
            raise UnknownTokenError(f"{token!r} is not a token of {self.folder}")
        return found

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, without the begin token.

        Raises:
            ValueError: The text has half a character (a lone surrogate).
        """
        check_encodable(text)
        return self._tokenizer.encode(text, add_special_tokens=False)

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the text of ids, including special tokens."""
        return self._tokenizer.decode(list(map(int, token_ids)), skip_special_tokens=False)
