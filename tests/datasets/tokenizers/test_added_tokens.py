"""Special tokens in published folders; damaged files are named."""

import json

import pytest

from vgtoolbox.datasets.tokenizers import read_added_tokens


def test_both_files_are_read_and_the_second_one_wins(tmp_path):
    decoder = {"60": {"content": "<a>"}, "61": {"content": "<b>", "special": True}}
    config = json.dumps({"added_tokens_decoder": decoder})
    (tmp_path / "tokenizer_config.json").write_text(config)
    (tmp_path / "added_tokens.json").write_text("\ufeff" + json.dumps({"<b>": 70, "é": 0}), "utf-8")
    assert read_added_tokens(tmp_path) == {"<a>": 60, "<b>": 70, "é": 0}


def test_a_folder_without_the_files_has_none(tmp_path):
    assert read_added_tokens(tmp_path) == {}


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "null", "5", "9" * 5000, "[" * 5000, '{"a": null}', '{"a": "7"}'),
        *('{"a": 1.0}', '{"a": true}', '{"a": -1}', '{"a": 1e999}', '{"a": NaN}', '{"": 5}'),
        *('{"a": [1]}', '{"a": {}}', '{"a": 99999999999}'),
    ],
)
def test_damaged_added_tokens_are_an_error(text, tmp_path):
    (tmp_path / "added_tokens.json").write_text(text)
    with pytest.raises(ValueError, match=r"added_tokens\.json (is|must)"):
        read_added_tokens(tmp_path)


@pytest.mark.parametrize(
    "decoder",
    [
        *([], 5, {"1": "b"}, {"1": {}}, {"1": {"content": 5}}, {"9" * 40: {"content": "b"}}),
        *({"a": {"content": "b"}}, {"²": {"content": "b"}}, {"-1": {"content": "b"}}),
    ],
    ids=str,
)
def test_a_damaged_config_is_an_error(decoder, tmp_path):
    content = json.dumps({"added_tokens_decoder": decoder})
    (tmp_path / "tokenizer_config.json").write_text(content)
    with pytest.raises(ValueError, match=r"tokenizer_config\.json"):
        read_added_tokens(tmp_path)


def test_another_encoding_is_named(tmp_path):
    (tmp_path / "added_tokens.json").write_bytes('{"é": 5}'.encode("utf-16"))
    with pytest.raises(ValueError, match=r"added_tokens\.json .*UTF-16"):
        read_added_tokens(tmp_path)
