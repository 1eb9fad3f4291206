from pathlib import Path

import sentencepiece
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vgtoolbox.shapes.tokenizer import VOCABULARY_SIZE, train_tokenizer

SENTENCES = ["the red circle", "every blue square left of the red star", "two green circles"] * 4


def test_special_ids_words_and_deterministic_training(tmp_path: Path) -> None:
    for name in ("a.spm", "b.spm"):
        train_tokenizer(SENTENCES, tmp_path / name)
    assert (tmp_path / "a.spm").read_bytes() == (tmp_path / "b.spm").read_bytes()
    model = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "a.spm"))
    assert (model.unk_id(), model.bos_id(), model.eos_id(), model.pad_id()) == (0, 1, 2, -1)
    assert model.encode("the red circle", out_type=str) == ["▁the", "▁red", "▁circle"]
    assert 259 < model.get_piece_size() <= VOCABULARY_SIZE


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(min_size=1, max_size=20))
def test_byte_fallback_covers_every_text(tmp_path_factory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "unicode.spm"
    if not path.exists():
        train_tokenizer(SENTENCES, path)
    model = sentencepiece.SentencePieceProcessor(model_file=str(path))
    assert model.unk_id() not in model.encode(text)
