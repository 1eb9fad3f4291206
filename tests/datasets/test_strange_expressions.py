"""Expressions that cannot be encoded or seen, and misspelled splits, from file to tokens."""

import json
import pickle

import pytest

from vgtoolbox.datasets import (
    AnnotationError,
    BertTokenizer,
    ChooseExpression,
    CleanExpression,
    HuggingFaceChatTokenizer,
    JSONLinesDataset,
    RefCOCODataset,
    SentencePieceChatTokenizer,
    TokenizeExpression,
)

HALVES = ["caf\ud83d box", "\ude00", "\udce9", "a dog \ud800"]


@pytest.fixture
def read(tmp_path):
    def read(entries, **options):
        (tmp_path / "mine.jsonl").write_text("\n".join(json.dumps(entry) for entry in entries))
        return JSONLinesDataset(
            data_root=str(tmp_path), ann_file="mine.jsonl", split="train", **options
        )

    return read


@pytest.mark.parametrize("text", HALVES)
def test_reading_names_file_and_line(read, text):
    entries = [{"image": "1.jpg", "expression": "dog"}, {"image": "1.jpg", "expression": text}]
    with pytest.raises(AnnotationError, match=r"mine\.jsonl, line 2: the expression must be whole"):
        read(entries)
    assert len(read(entries, corrupted="skip")) == 1


def test_whole_pairs_of_surrogates_are_one_character(read):
    (record,) = read([{"image": "1.jpg", "expression": "\ud83d\ude00 face"}]).data_list
    assert record["expressions"] == ["😀 face"]


@pytest.mark.parametrize("text", HALVES)
def test_transforms_name_the_sample(text):
    record = {"expressions": [text], "sample_id": "5_9", "img_path": "a.jpg"}
    with pytest.raises(ValueError, match=r"sample 5_9, image a\.jpg: the expression must be whole"):
        ChooseExpression()(record)


@pytest.mark.parametrize("text", HALVES)
def test_tokenization_names_the_sample(tokenizer, text):
    step = TokenizeExpression(tokenizer=tokenizer, max_tokens=9)
    with pytest.raises(ValueError, match="sample 5_9: the expression must be whole characters"):
        step({"expression": text, "sample_id": "5_9"})


@pytest.mark.parametrize("text", ["\u200b", "\u200b \u2066", "\0", "\ufeff", "\x07\x1b"])
@pytest.mark.parametrize("variant", ["instancevg", "plvl", "mllmseg", "uground", "none"])
def test_invisible_expressions_are_empty(text, variant):
    with pytest.raises(ValueError, match=r"sample 5_9: the expression .* is empty"):
        CleanExpression(variant)({"expression": text, "sample_id": "5_9"})


@pytest.fixture(params=["beit3", "bert", "sentencepiece", "hugging_face"])
def any_tokenizer(request, tokenizer, tokenizer_file, tmp_path):
    words = "[PAD] [UNK] [CLS] [SEG] [SEP] [MASK] a dog red"
    (tmp_path / "vocab.txt").write_text("\n".join(words.split()))
    if request.param == "bert":
        return BertTokenizer(tmp_path / "vocab.txt")
    if request.param == "sentencepiece":
        return SentencePieceChatTokenizer(model_file=tokenizer_file, special_tokens=["[SEG]"])
    if request.param == "hugging_face":
        (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}')
        return HuggingFaceChatTokenizer(folder=tmp_path, eos_token="[SEP]")
    return tokenizer


@pytest.mark.parametrize("text", HALVES)
def test_no_tokenizer_gets_half_a_character(any_tokenizer, text):
    with pytest.raises(ValueError, match="must be whole characters, got half a character"):
        any_tokenizer.encode(text)


@pytest.mark.parametrize(
    "text", ["a\0dog", "\u202ea dog", "a\u200bdog", "a dog " * 250, "🐶", "\x1b[31m", "a" * 5000]
)
def test_every_tokenizer_accepts_other_strange_texts(any_tokenizer, text):
    ids = any_tokenizer.encode(text)
    assert ids
    assert all(0 <= token < any_tokenizer.vocab_size for token in ids)


def test_a_misspelled_split_is_suggested(read, tmp_path):
    entries = [{"image": "1.jpg", "expression": "dog", "split": name} for name in ("trian", "val")]
    with pytest.raises(ValueError, match=r"are of 'trian', 'val'; did you mean 'trian'\?"):
        read(entries)
    with pytest.raises(FileNotFoundError, match=r"did you mean 'mine\.jsonl'\?; expected"):
        JSONLinesDataset(data_root=str(tmp_path), ann_file="Mine.jsonl", split="train")


def test_lines_of_a_misspelled_split_are_reported(read, monkeypatch):
    logged = []
    monkeypatch.setattr(
        "vgtoolbox.datasets.base.print_log", lambda message, **_: logged.append(message)
    )
    entries = [{"image": "1.jpg", "expression": "dog", "split": s} for s in ("train", "Train", "x")]
    assert len(read(entries)) == 1
    assert len(logged) == 1
    assert "annotations of the split 'Train' are not read; is it 'train'?" in logged[0]


@pytest.mark.parametrize("split", ["testa", "test A", "tesA"])
def test_a_misspelled_split_of_refs_is_suggested(tmp_path, split):
    refs = [{"split": name, "ref_id": 1, "sentences": []} for name in ("train", "testA")]
    (tmp_path / "refs(unc).p").write_bytes(pickle.dumps(refs, protocol=2))
    (tmp_path / "instances.json").write_text('{"images": [], "annotations": []}')
    with pytest.raises(AnnotationError, match=r"it has: testA, train; did you mean 'testA'\?"):
        RefCOCODataset(data_root=str(tmp_path), split=split)


@pytest.mark.parametrize("text", ["...", " ", "?!", "\u200b", "- /"])
def test_an_expression_that_cleaning_empties_is_found_before_training(read, text):
    entries = [{"image": "1.jpg", "expression": e} for e in ("dog", ["a cat", text])]
    clean = [{"type": "CleanExpression"}]
    with pytest.raises(AnnotationError, match=r"mine\.jsonl, line 2: the expression must have wor"):
        read(entries, pipeline=clean)
    assert len(read(entries, pipeline=clean, corrupted="skip")) == 1
    assert len(read(entries)) == 3


def test_what_a_cleaning_keeps_is_read(read):
    entries = [{"image": "1.jpg", "expression": text} for text in ("...", "🐶", "犬", "7", "+")]
    assert len(read(entries, pipeline=[{"type": "CleanExpression", "variant": "plvl"}])) == 5
