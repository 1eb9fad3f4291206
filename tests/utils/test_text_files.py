import gzip
import json

import pytest

from vgtoolbox.utils import text_files
from vgtoolbox.utils.text_files import (
    CompressedFileError,
    EncodingError,
    decode_utf8,
    existing_file,
    iter_lines,
    read_bytes,
    read_first_entry,
    read_text,
)

TEXT = '{"a": "boîte à café"}\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_utf8_is_read_with_and_without_a_mark(tmp_path, encoding, compress):
    file = tmp_path / "a.json"  # compression is recognized by content
    file.write_bytes(compress(TEXT.encode(encoding)))
    assert read_text(file) == TEXT
    assert list(iter_lines(file)) == [(1, TEXT.encode())]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
def test_wide_encodings_are_named(tmp_path, encoding):
    file = tmp_path / "a.json"
    file.write_bytes(TEXT.encode(encoding))
    name = encoding[:6].upper()
    for read in (read_text, lambda path: list(iter_lines(path)), read_first_entry):
        with pytest.raises(ValueError, match=f"must be UTF-8, got {name}; save the file as UTF-8"):
            read(file)


def test_error_names_line_and_byte_of_another_encoding():
    with pytest.raises(EncodingError, match="got the byte 0xee after 'la bo'") as caught:
        decode_utf8("first\nla boîte".encode("latin-1"))
    assert caught.value.line == 2


def test_blank_lines_keep_their_numbers(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"\n1\r\n  \n2")
    assert [(number, line.strip()) for number, line in iter_lines(file)] == [(2, b"1"), (4, b"2")]


def test_damaged_compression_is_named(tmp_path):
    file = tmp_path / "a.json.gz"
    file.write_bytes(gzip.compress(TEXT.encode() * 100)[:-20])
    for read in (read_bytes, lambda path: list(iter_lines(path))):
        with pytest.raises(CompressedFileError, match=r"a\.json\.gz must be a complete gzip file"):
            read(file)


def test_compressed_bombs_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "_UNLIMITED_SIZE", 2**22)
    file = tmp_path / "a.json.gz"
    file.write_bytes(gzip.compress(b"[" + b" " * 2**24))
    for read in (read_bytes, lambda path: list(iter_lines(path)), read_first_entry):
        with pytest.raises(CompressedFileError, match="expand"):
            read(file)


def test_compressed_form_of_a_file_is_found(tmp_path):
    assert existing_file(tmp_path / "a.json") is None
    (tmp_path / "a.json.gz").touch()
    assert existing_file(tmp_path / "a.json") == tmp_path / "a.json.gz"
    (tmp_path / "a.json").touch()
    assert existing_file(tmp_path / "a.json") == tmp_path / "a.json"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("", None)),
        (" \n[ ]", ("[", None)),
        ('{"a": 1}', ("{", None)),
        ('[\n {"long": "' + "x" * 50_000 + 'é", "score": 1}, {"broken', None),
        ("[1, 2]", ("[", 1)),
    ],
)
def test_first_entry_is_read_alone(tmp_path, text, expected):
    file = tmp_path / "a.json"
    file.write_text("\ufeff" + text, encoding="utf-8")
    opening, entry = read_first_entry(file)
    if expected is not None:
        assert (opening, entry) == expected
    else:
        assert list(entry) == ["long", "score"]


def test_first_entry_of_a_large_file_reads_little(tmp_path, monkeypatch):
    file = tmp_path / "a.json"
    entry = {"score": 1, "text": "x" * 10_000}
    file.write_text(json.dumps([entry] * 1000))
    lengths = []
    original = text_files._first_entry

    def counting(data, *args, **kwargs):
        lengths.append(len(data))
        return original(data, *args, **kwargs)

    monkeypatch.setattr(text_files, "_first_entry", counting)
    assert read_first_entry(file) == ("[", entry)
    assert max(lengths) < 40_000 < file.stat().st_size


def test_broken_first_entry_is_an_error(tmp_path):
    file = tmp_path / "a.json"
    file.write_text('[{"a": 1')
    with pytest.raises(ValueError, match=r"a\.json is truncated or not JSON"):
        read_first_entry(file)
