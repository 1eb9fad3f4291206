import pickle
import warnings

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from vgtoolbox.datasets import BEiT3Tokenizer, BertTokenizer
from vgtoolbox.registry import TOKENIZERS


@pytest.fixture(scope="module")
def published(real_data):
    return BEiT3Tokenizer(real_data / "tokenizer" / "beit3.spm")


def test_ids_equal_the_published_ones(published):
    ids, padding = published("three skateboard guys", 7)
    assert ids.tolist() == [0, 163, 32775, 1272, 2, 1, 1]
    assert padding.tolist() == [False] * 5 + [True] * 2


def test_vocabulary_fits_the_published_embedding(published):
    # The table has 64010 rows.
    assert 64000 <= published.vocab_size <= 64010


@pytest.mark.parametrize("text", ["日本の犬", "zwei Hunde", "a  red   dog", "un café"])
def test_ids_are_within_the_vocabulary(published, text):
    ids, padding = published(text, 20)
    assert ids.max() < published.vocab_size
    assert (ids[~padding][1:-1] >= 3).all()


def test_row_has_begin_pieces_end_and_padding(tokenizer):
    ids, padding = tokenizer("the red circle", 12)
    length = int((~padding).sum())
    assert ids.shape == padding.shape == (12,)
    assert (ids.dtype, padding.dtype) == (torch.long, torch.bool)
    assert ids[0] == 0
    assert ids[length - 1] == 2
    assert (ids[length:] == 1).all()
    assert padding.tolist() == [False] * length + [True] * (12 - length)
    assert tokenizer.decode(ids) == "the red circle"


def test_unknown_letters_have_the_unknown_id(tokenizer):
    assert 3 in tokenizer.encode("犬")


@given(
    text=st.text(max_size=60).filter(lambda t: t.strip()),
    max_tokens=st.integers(min_value=3, max_value=40),
)
def test_any_text_gives_a_valid_row_or_an_error(tokenizer, text, max_tokens):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ids, padding = tokenizer(text, max_tokens)
        except ValueError as error:
            assert not tokenizer.encode(text)
            assert "must contain words" in str(error)
            return
    assert len(ids) == max_tokens
    assert ids.min() >= 0
    assert ids.max() < tokenizer.vocab_size
    assert torch.equal(padding, ids == 1)
    assert (ids == 2).sum() == 1


def test_long_expressions_are_truncated_with_one_warning(tokenizer_file):
    tokenizer = BEiT3Tokenizer(tokenizer_file)
    text = "red circle " * 250
    with pytest.warns(UserWarning, match=r"\d{3,} tokens is truncated to max_tokens=10") as caught:
        ids, padding = tokenizer(text, 10)
        tokenizer(text, 10)
    assert len(caught) == 1
    assert (ids[0], ids[-1]) == (0, 2)
    assert not padding.any()


@pytest.mark.parametrize("text", ["", "   ", "\u200b"])
def test_text_without_tokens_raises(tokenizer, text):
    with pytest.raises(ValueError, match="must contain words"):
        tokenizer(text, 10)


def test_max_tokens_is_checked(tokenizer):
    with pytest.raises(ValueError, match="max_tokens must be 3 or more"):
        tokenizer("red", 2)


def test_pickled_tokenizer_gives_the_same_ids(tokenizer):
    copied = pickle.loads(pickle.dumps(tokenizer))
    assert torch.equal(copied("red circle", 8)[0], tokenizer("red circle", 8)[0])


def test_error_for_missing_model_says_how_to_get_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"prepare_data\.py shapes(.|\n)*beit3\.spm"):
        TOKENIZERS.build({"type": "BEiT3Tokenizer", "model_file": str(tmp_path / "none.spm")})


def test_file_that_is_not_a_model_raises(tmp_path):
    (tmp_path / "x.spm").write_bytes(b"not a model")
    with pytest.raises(ValueError, match=r"x\.spm is not a sentencepiece model"):
        BEiT3Tokenizer(tmp_path / "x.spm")


VOCABULARY = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    *"abcdefghijklmnopqrstuvwxyz.,!'",
    *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"),
    *("the", "red", "circle", "left", "##most", "is", "犬"),
]


@pytest.fixture(scope="module")
def bert_folder(tmp_path_factory):
    """Folder with the `vocab.txt` of a small BERT."""
    folder = tmp_path_factory.mktemp("bert")
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def bert(bert_folder):
    return BertTokenizer(bert_folder / "vocab.txt")


class TestBert:
    def test_row_has_begin_pieces_end_and_padding(self, bert):
        ids, padding = bert("The leftmost  red circle", 9)
        words = ["[CLS]", "the", "left", "##most", "red", "circle", "[SEP]", "[PAD]", "[PAD]"]
        assert ids.tolist() == [VOCABULARY.index(word) for word in words]
        assert padding.tolist() == [False] * 7 + [True] * 2
        assert bert.decode(ids) == "the leftmost red circle"
        assert bert.vocab_size == len(VOCABULARY)

    def test_folder_and_tokenizer_json_are_read(self, bert, bert_folder, tmp_path):
        tokenizer = bert._pieces.from_str(bert._pieces.to_str())
        # Settings that sentence-transformers stores with the vocabulary.
        tokenizer.enable_padding(length=16)
        tokenizer.enable_truncation(3)
        tokenizer.save(str(tmp_path / "tokenizer.json"))
        expected = bert("the red circle is left", 10)[0].tolist()
        for place in (bert_folder, tmp_path, tmp_path / "tokenizer.json"):
            assert BertTokenizer(place)("the red circle is left", 10)[0].tolist() == expected

    @pytest.mark.parametrize(
        "text",
        [
            "Red CIRCLE.",
            "un café, là",
            "日本の犬",
            "zero\u200bwidth",
            "x" * 150,
            "don't!",
            "  the ",
        ],
    )
    @pytest.mark.parametrize("max_tokens", [8, 40])
    def test_ids_equal_those_of_transformers(self, bert, bert_folder, text, max_tokens):
        theirs = transformers.BertTokenizer(str(bert_folder / "vocab.txt"))
        expected = theirs(text, max_length=max_tokens, truncation=True, padding="max_length")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ids, padding = bert(text, max_tokens)
        assert ids.tolist() == expected["input_ids"]
        assert (~padding).int().tolist() == expected["attention_mask"]

    def test_special_tokens_in_an_expression_are_text(self, bert):
        ids, _ = bert("the [SEP] [PAD] circle", 20)
        assert (ids == bert.eos_id).sum() == 1

    def test_pickled_tokenizer_gives_the_same_ids(self, bert):
        copied = pickle.loads(pickle.dumps(bert))
        assert torch.equal(copied("red circle", 8)[0], bert("red circle", 8)[0])

    @pytest.mark.parametrize("name", ["vocab.txt", "none/vocab.txt", "none"])
    def test_error_for_missing_file_says_where_to_get_it(self, tmp_path, name):
        with pytest.raises(FileNotFoundError, match="google-bert/bert-base-uncased"):
            BertTokenizer(tmp_path / name)

    @pytest.mark.parametrize("name", ["vocab.txt", "tokenizer.json"])
    @pytest.mark.parametrize("content", [b"a\nb\n", b"\xff\xfe\x00", b"{}"])
    def test_file_with_other_content_raises(self, tmp_path, name, content):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=r"is not a (vocabulary of BERT|tokenizer of word)"):
            BertTokenizer(tmp_path / name)
