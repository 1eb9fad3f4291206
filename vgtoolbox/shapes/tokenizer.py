"""Train the small sentencepiece model of a generated dataset."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import sentencepiece

VOCABULARY_SIZE = 512
_MAX_SENTENCES = 200_000


def train_tokenizer(sentences: Iterable[str], path: Path) -> None:
    """Train a tokenizer on `sentences` and write it to `path` (a `.spm` file).

    Ids 0, 1 and 2 are the unknown, start and end tokens, as in `beit3.spm`. Every byte is a piece,
    so no text is unknown. It uses one thread and does not shuffle, so the same sentences give the
    same file.
    """
    with path.open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(list(dict.fromkeys(sentences))[:_MAX_SENTENCES]),
            model_writer=file,
            model_type="bpe",
            vocab_size=VOCABULARY_SIZE,
            hard_vocab_limit=False,
            byte_fallback=True,
            character_coverage=1.0,
            unk_id=0,
            bos_id=1,
            eos_id=2,
            pad_id=-1,
            num_threads=1,
            shuffle_input_sentence=False,
            minloglevel=2,
        )
