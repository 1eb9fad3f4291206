import json

import pytest
import sentencepiece

from vgtoolbox.datasets import HuggingFaceChatTokenizer, SentencePieceChatTokenizer
from vgtoolbox.datasets.tokenizers.chat import UnknownTokenError


def test_special_tokens_split_the_text(tokenizer_file):
    tokenizer = SentencePieceChatTokenizer(
        model_file=tokenizer_file, special_tokens=["[SEG]", "<img>"]
    )
    size = tokenizer.vocab_size
    assert tokenizer.token_id("<img>") == size - 1
    ids = tokenizer.encode("<img>a red dog[SEG] on")
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(tokenizer_file))
    assert ids == [size - 1, *pieces.encode("a red dog"), size - 2, *pieces.encode(" on")]
    assert tokenizer.decode(ids) == "<img>a red dog[SEG]on"


def test_whitespace_around_stripped_tokens_is_removed(tokenizer_file):
    tokenizer = SentencePieceChatTokenizer(
        model_file=tokenizer_file,
        special_tokens={"[SEG]": 90, "</s>": 91},
        stripped_tokens=["[SEG]"],
    )
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(tokenizer_file))
    ids = tokenizer.encode("it is \n [SEG] \n on </s>")
    assert ids == [*pieces.encode("it is"), 90, *pieces.encode("on "), 91]
    assert tokenizer.encode(" [SEG] [SEG] ") == [90, 90]
    with pytest.raises(ValueError, match="stripped_tokens must be"):
        SentencePieceChatTokenizer(model_file=tokenizer_file, stripped_tokens=["[SEG]"])


def test_the_dummy_blank_of_each_segment_or_of_the_text(tokenizer_file):
    options = {"model_file": tokenizer_file, "special_tokens": {"[SEG]": 90}}
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(tokenizer_file))
    per_segment = SentencePieceChatTokenizer(**options)
    per_text = SentencePieceChatTokenizer(**options, dummy_prefix="text")
    first = pieces.encode("red")
    assert per_segment.encode("red[SEG]red") == [*first, 90, *first]
    ids = per_text.encode("red[SEG]red")
    assert ids[: len(first) + 1] == [*first, 90]
    assert pieces.id_to_piece(first[0]).startswith("\u2581")
    assert "".join(map(pieces.id_to_piece, ids[len(first) + 1 :])) == "red"
    with pytest.raises(ValueError, match="dummy_prefix must be 'segment' or 'text'"):
        SentencePieceChatTokenizer(**options, dummy_prefix="word")


def test_longer_special_token_takes_precedence(tokenizer_file):
    tokenizer = SentencePieceChatTokenizer(
        model_file=tokenizer_file, special_tokens={"<a>": 90, "<a><b>": 91}
    )
    assert tokenizer.encode("<a><b><a>") == [91, 90]


def test_special_tokens_of_a_published_folder_are_read(tokenizer_file, tmp_path):
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "tokenizer.model").write_bytes(tokenizer_file.read_bytes())
    config = {"added_tokens_decoder": {"60": {"content": "<|im_end|>"}}}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    (folder / "added_tokens.json").write_text(json.dumps({"[SEG]": 70}))
    tokenizer = SentencePieceChatTokenizer(
        model_file=folder / "tokenizer.model",
        new_tokens=["[SEG]", "[REJ]"],
        eos_token="<|im_end|>",
    )
    assert tokenizer.special_tokens == {"<|im_end|>": 60, "[SEG]": 70, "[REJ]": 71}
    assert tokenizer.eos_id == 60
    assert tokenizer.vocab_size == 72


def test_unknown_tokens_and_files_raise(tokenizer_file, tmp_path):
    tokenizer = SentencePieceChatTokenizer(model_file=tokenizer_file, special_tokens=["[SEG]"])
    with pytest.raises(
        UnknownTokenError, match=r"'\[REJ\]' is not a token .*its special tokens: \[SEG\]"
    ):
        tokenizer.token_id("[REJ]")
    with pytest.raises(FileNotFoundError, match="model_file must be a sentencepiece"):
        SentencePieceChatTokenizer(model_file=tmp_path / "absent.model")
    with pytest.raises(FileNotFoundError, match="folder must be a tokenizer folder"):
        HuggingFaceChatTokenizer(folder=tmp_path / "absent")


def test_tokenizer_folder_of_transformers_is_read(tmp_path):
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(WordLevel({"<unk>": 0, "a": 1, "dog": 2, "<|im_end|>": 3}, unk_token="<unk>"))
    words.pre_tokenizer = Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>")
    fast.add_tokens(["<|im_end|>"], special_tokens=True)
    fast.save_pretrained(tmp_path)
    tokenizer = HuggingFaceChatTokenizer(
        folder=tmp_path, new_tokens=["[SEG]"], eos_token="<|im_end|>"
    )
    assert tokenizer.encode("a dog[SEG]") == [1, 2, 4]
    assert tokenizer.token_id("[SEG]") == 4
    assert tokenizer.eos_id == tokenizer.pad_id == 3
    assert tokenizer.vocab_size == 5
    assert "[SEG]" in tokenizer.decode([1, 4])
    with pytest.raises(UnknownTokenError):
        tokenizer.token_id("[REJ]")
