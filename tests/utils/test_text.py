import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vgtoolbox.utils.text import (
    encode_json,
    encode_text,
    escape_invisible,
    has_lone_surrogate,
    has_words,
)

ANY_TEXT = st.text(st.characters())  # including surrogates


@given(ANY_TEXT)
def test_any_text_comes_back_from_json(text):
    data = encode_json({"image": text})
    assert json.loads(data.decode("utf-8")) == {"image": text}
    assert b"\n" not in data


def test_the_bytes_of_a_file_name_come_back():
    name = b"caf\xe9.jpg"
    data = encode_json({"image": os.fsdecode(name)})
    assert data == rb'{"image": "caf\udce9.jpg"}'
    assert os.fsencode(json.loads(data)["image"]) == name


def test_valid_text_is_not_escaped():
    assert encode_json(["é", "犬", "🐶"]) == '["é", "犬", "🐶"]'.encode()
    assert encode_text("é犬🐶\n") == "é犬🐶\n".encode()


def test_nan_is_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode_json(float("nan"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("dog", False), ("犬🐶", False), ("a\ud83d", True), ("\udce9", True), ("\ude00\ud83d", True)],
)
def test_lone_surrogates_are_found(text, expected):
    assert has_lone_surrogate(text) is expected


@pytest.mark.parametrize("text", ["a", "7", "犬", "é", "🐶", "☂", "... x"])
def test_letters_digits_and_pictographs_are_words(text):
    assert has_words(text)


@pytest.mark.parametrize(
    "text",
    ["", " ", "...", "?!,;", "- / _", "\u200b", "\u2066\u2069", "\0", "\ufeff", "\ud83d", "$+"],
)
def test_marks_and_invisible_characters_are_not_words(text):
    assert not has_words(text)


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("dog é 犬\u3000🐶", "dog é 犬\u3000🐶"),
        ("a\nb\tc", r"a\nb\tc"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("caf\udce9", r"caf\udce9"),
        ("a\u202eb\u200b", r"a\u202eb\u200b"),
    ],
)
def test_invisible_characters_are_escaped(text, escaped):
    assert escape_invisible(text) == escaped


def test_kept_characters_are_not_escaped():
    assert escape_invisible("a\nb\r", keep="\n") == "a\nb\\r"


@given(ANY_TEXT)
def test_escaped_text_can_be_encoded_and_has_one_line(text):
    escaped = escape_invisible(text)
    escaped.encode()
    assert len(escaped.splitlines()) <= 1
