"""Text tokenizers: `tokenizer(text, max_tokens) -> token_ids, padding_mask`."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from sentencepiece import SentencePieceProcessor
from torch import Tensor

from vgtoolbox.registry import TOKENIZERS


@TOKENIZERS.register_module()
class BEiT3Tokenizer:
    """A sentencepiece model under XLM-R's numbering, as BEiT-3 uses it.

    `<s>` 0, padding 1, `</s>` 2, unknown 3; every other piece is its sentencepiece id + 1. Text is
    not cleaned here. Read by sentencepiece itself: transformers 5 builds an almost empty vocabulary
    from a bare model file, without an error.

    Args:
        model_file: A sentencepiece model: BEiT-3's `beit3.spm`, or one that `prepare_data` trains.
    """

    bos_id = 0
    pad_id = 1
    eos_id = 2
    unk_id = 3

    def __init__(self, model_file: str | Path) -> None:
        if not Path(model_file).is_file():
            raise FileNotFoundError(
                f"there is no tokenizer model at {Path(model_file).resolve()}. For generated data "
                "`python tools/prepare_data.py shapes --out data/shapes` makes "
                "data/shapes/tokenizer.spm; BEiT-3's own beit3.spm is published with its weights "
                "(microsoft/unilm, folder beit3): put it at pretrain_weights/beit3.spm"
            )
        self.model_file = str(model_file)
        try:
            self._pieces = SentencePieceProcessor(model_file=self.model_file)
        except (RuntimeError, OSError) as error:
            raise ValueError(f"{model_file} is no sentencepiece model: {error}") from error
        self._has_warned = False

    @property
    def vocab_size(self) -> int:
        """Number of ids: those of the pieces, padding, and XLM-R's unused mask token, the last."""
        return len(self._pieces) + 2

    def __call__(self, text: str, max_tokens: int) -> tuple[Tensor, Tensor]:
        """Tokenise one expression.

        Args:
            text: Cleaned already.
            max_tokens: T, with the tokens for beginning and end.

        Returns:
            token_ids (T,) long, and the padding mask (T,) bool, True = padding.

        Raises:
            ValueError: The text has no token, or T leaves no room for one.
        """
        if max_tokens < 3:
            raise ValueError(
                f"max_tokens must be 3 or more (begin, a token, end), got {max_tokens}"
            )
        pieces = self.encode(text)
        if not pieces:
            raise ValueError(f"the expression {text!r} has no token; expected words")
        if len(pieces) > max_tokens - 2:
            self._warn_of_truncation(text, len(pieces) + 2, max_tokens)
        ids = [self.bos_id, *pieces[: max_tokens - 2], self.eos_id]
        token_ids = torch.full((max_tokens,), self.pad_id)
        token_ids[: len(ids)] = torch.tensor(ids)
        return token_ids, token_ids == self.pad_id

    def encode(self, text: str) -> list[int]:
        """Return the ids of the pieces alone, without beginning, end and padding."""
        return [piece + 1 if piece else self.unk_id for piece in self._pieces.encode(text)]

    def decode(self, token_ids: Tensor) -> str:
        """Return the text of (T,) ids; the special ones are left out."""
        return self._pieces.decode([int(i) - 1 for i in token_ids if int(i) > self.unk_id])

    def _warn_of_truncation(self, text: str, length: int, max_tokens: int) -> None:
        if self._has_warned:
            return
        self._has_warned = True
        warnings.warn(
            f"an expression of {length} tokens is cut to max_tokens={max_tokens}: {text[:80]!r}; "
            "others that are cut will not be reported",
            stacklevel=3,
        )
