"""Tokenizers of expressions: `tokenizer(text, max_tokens) -> token_ids, padding_mask`."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from pathlib import Path

import torch
from sentencepiece import SentencePieceProcessor
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import WordPiece
from torch import Tensor

from vgtoolbox.registry import TOKENIZERS
from vgtoolbox.utils.choices import OptionError
from vgtoolbox.utils.text import check_encodable


class ExpressionTokenizer(ABC):
    """Base class: turns an expression into a row of fixed length: begin, pieces, end, padding.

    Attributes:
        bos_id: Id of the begin token.
        eos_id: Id of the end token.
        pad_id: Id of the padding.
        unk_id: Id of text without a piece.
    """

    bos_id: int
    eos_id: int
    pad_id: int
    unk_id: int
    _has_warned = False

    @property
    @abstractmethod
    def vocab_size(self) -> int:
        """Number of ids, including special ones."""

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """Return the ids of the pieces, without begin, end and padding.

        Raises:
            ValueError: The text has half a character (a lone surrogate).
        """

    @abstractmethod
    def decode(self, token_ids: Tensor) -> str:
        """Return the text of (T,) ids, without special ones."""

    def __call__(self, text: str, max_tokens: int) -> tuple[Tensor, Tensor]:
        """Tokenize one expression.

        Args:
            text: Expression, already cleaned.
            max_tokens: Number of tokens T, including begin and end.

        Returns:
            The token ids (T,) long, and the padding mask (T,) bool, True for padding.

        Raises:
            ValueError: The text has no tokens or half a character, or T leaves no room for a token.
        """
        if max_tokens < 3:
            raise ValueError(
                f"max_tokens must be 3 or more (begin, a token, end), got {max_tokens}"
            )
        pieces = self.encode(text)
        if not pieces:
            raise ValueError(f"the expression must contain words, got {text!r} without any token")
        if len(pieces) > max_tokens - 2:
            self._warn_of_truncation(text, len(pieces) + 2, max_tokens)
        ids = [self.bos_id, *pieces[: max_tokens - 2], self.eos_id]
        token_ids = torch.full((max_tokens,), self.pad_id)
        token_ids[: len(ids)] = torch.tensor(ids)
        return token_ids, torch.arange(max_tokens) >= len(ids)

    def _warn_of_truncation(self, text: str, length: int, max_tokens: int) -> None:
        if self._has_warned:
            return
        self._has_warned = True
        warnings.warn(
            f"an expression of {length} tokens is truncated to max_tokens={max_tokens}: "
            f"{text[:80]!r}; further truncated expressions will not be reported",
            stacklevel=3,
        )


@TOKENIZERS.register_module()
class BEiT3Tokenizer(ExpressionTokenizer):
    """Sentencepiece model with XLM-R's numbering, as in BEiT-3.

    `<s>` is 0, padding 1, `</s>` 2, unknown 3; the id of any other piece is its sentencepiece
    id + 1. Text is not cleaned here. The model is read by sentencepiece itself: transformers 5
    builds an almost empty vocabulary from a bare model file, without an error.

    Args:
        model_file: Path of a sentencepiece model: BEiT-3's `beit3.spm`, or one that `prepare_data`
            trains.

    Raises:
        FileNotFoundError: `model_file` does not exist.
        ValueError: `model_file` is not a sentencepiece model.
    """

    bos_id = 0
    pad_id = 1
    eos_id = 2
    unk_id = 3

    def __init__(self, model_file: str | Path) -> None:
        if not Path(model_file).is_file():
            raise FileNotFoundError(
                f"model_file must be a sentencepiece model, got {Path(model_file).resolve()}, "
                "which does not exist. For generated data, "
                "`python tools/prepare_data.py shapes --out data/shapes` creates "
                "data/shapes/tokenizer.spm; BEiT-3's beit3.spm is published with its weights "
                "(microsoft/unilm, folder beit3): put it at pretrain_weights/beit3.spm"
            )
        self.model_file = str(model_file)
        try:
            self._pieces = SentencePieceProcessor(model_file=self.model_file)
        except (RuntimeError, OSError) as error:
            raise OptionError(f"{model_file} is not a sentencepiece model: {error}") from error

    @property
    def vocab_size(self) -> int:
        """Number of ids: the pieces, padding, and XLM-R's unused mask token at the end."""
        return len(self._pieces) + 2

    def encode(self, text: str) -> list[int]:
        """Return the ids of the pieces, without begin, end and padding."""
        check_encodable(text, "the expression")
        return [piece + 1 if piece else self.unk_id for piece in self._pieces.encode(text)]

    def decode(self, token_ids: Tensor) -> str:
        """Return the text of (T,) ids, without special ones."""
        return self._pieces.decode([int(i) - 1 for i in token_ids if int(i) > self.unk_id])


@TOKENIZERS.register_module()
class BertTokenizer(ExpressionTokenizer):
    """BERT's word pieces in lower case: `[CLS]`, the pieces, `[SEP]`, `[PAD]`.

    Args:
        model_file: Path of `vocab.txt` or `tokenizer.json`, or of a folder that contains one of
            them, like that of `bert-base-uncased`; or a name on the Hugging Face hub.

    Raises:
        FileNotFoundError: There is no such file, folder or name.
        ValueError: The file is not a vocabulary of BERT.
    """

    def __init__(self, model_file: str | Path) -> None:
        self.model_file = str(model_file)
        self._pieces = _read_word_pieces(Path(model_file))
        # Some files store a length to pad and truncate to (sentence-transformers: 128).
        self._pieces.no_padding()
        self._pieces.no_truncation()
        # "[SEP]" in a user's expression is text.
        self._pieces.encode_special_tokens = True
        self.bos_id, self.eos_id = self._special_id("[CLS]"), self._special_id("[SEP]")
        self.pad_id, self.unk_id = self._special_id("[PAD]"), self._special_id("[UNK]")

    @property
    def vocab_size(self) -> int:
        """Number of ids, including special ones."""
        return self._pieces.get_vocab_size()

    def encode(self, text: str) -> list[int]:
        """Return the ids of the pieces, without begin, end and padding."""
        check_encodable(text, "the expression")
        return self._pieces.encode(text, add_special_tokens=False).ids

    def decode(self, token_ids: Tensor) -> str:
        """Return the text of (T,) ids, without special ones."""
        special = {self.bos_id, self.eos_id, self.pad_id}
        return self._pieces.decode([int(i) for i in token_ids if int(i) not in special])

    def _special_id(self, token: str) -> int:
        """Return the id of a token that every BERT vocabulary has."""
        found = self._pieces.token_to_id(token)
        if found is None:
            raise OptionError(f"{self.model_file} is not a vocabulary of BERT: it lacks {token}")
        return found


def _read_word_pieces(path: Path) -> Tokenizer:
    """Read a tokenizer from a file, a folder or the hub."""
    files = [path] if path.is_file() else [path / "tokenizer.json", path / "vocab.txt"]
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        return _fetch_word_pieces(path)
    try:
        if file.suffix == ".json":
            return Tokenizer.from_file(str(file))
        tokenizer = Tokenizer(WordPiece.from_file(str(file), unk_token="[UNK]"))
    except Exception as error:  # the library raises nothing more specific
        raise OptionError(f"{file} is not a tokenizer of word pieces: {error}") from error
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def _fetch_word_pieces(path: Path) -> Tokenizer:
    """Read a tokenizer from the hub, unless the name can only be a local path."""
    missing = FileNotFoundError(
        f"model_file must have a vocab.txt or tokenizer.json, got {path.resolve()} without them; "
        "BERT's files are published with its weights (google-bert/bert-base-uncased on the Hugging "
        "Face hub): put them into pretrain_weights/bert-base-uncased/"
    )
    if path.suffix or path.is_absolute() or len(path.parts) > 2 or path.is_dir():
        raise missing
    if len(path.parts) == 2 and path.parent.is_dir():
        raise missing
    try:
        return Tokenizer.from_pretrained(path.as_posix())
    except Exception as error:  # the library raises the same for no network and for an unknown name
        raise missing from error
