"""Read UTF-8 text files, plain or compressed with gzip."""

from __future__ import annotations

import codecs
import gzip
import io
import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

GZIP_SUFFIX = ".gz"

_GZIP_SIGNATURE = b"\x1f\x8b"
_CHUNK = 2**20
_FIRST_READ = 2**12
_UNLIMITED_SIZE = 2**28
_MAX_RATIO = 200
"""Text of annotations shrinks by less than this; only files built to fill the memory exceed it."""

# UTF-32 first: its little-endian mark begins with that of UTF-16.
_OTHER_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_FIRST_OF_MARKS = (b"\xff", b"\xfe")
_CONTEXT = 20


class CompressedFileError(ValueError):
    """Error for a gzip file that is damaged or expands without end; it names the file."""


class EncodingError(ValueError):
    """Error for text that is not UTF-8; the caller adds its name.

    Attributes:
        line: Number of the line, from 1.
    """

    def __init__(self, problem: str, line: int = 1) -> None:
        super().__init__(f"must be UTF-8, got {problem}; save the file as UTF-8")
        self.line = line


def decode_utf8(data: bytes) -> str:
    """Decode UTF-8 with or without a byte order mark.

    Raises:
        EncodingError: The bytes are in another encoding.
    """
    if data[:1] in _FIRST_OF_MARKS or b"\0" in data[:4]:  # a cheap test: there are many lines
        other = _other_encoding(data[:4])
        if other is not None:
            raise EncodingError(other)
    try:
        return data.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as error:
        valid, rest = error.object[: error.start], error.object[error.start :]
        before = valid.rpartition(b"\n")[2].decode("utf-8")[-_CONTEXT:]
        problem = f"the byte 0x{rest[0]:02x} after {before!r}"
        raise EncodingError(problem, valid.count(b"\n") + 1) from None


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Return the content of a file, decompressed if it is a gzip file, whatever its name.

    Raises:
        CompressedFileError: The file is damaged, or expands to an implausible size.
    """
    with Path(path).open("rb") as file:
        data = file.read()
    return _decompress(data, path) if data.startswith(_GZIP_SIGNATURE) else data


def read_text(path: str | os.PathLike[str]) -> str:
    """Return the text of a file, decompressed if it is a gzip file.

    Raises:
        EncodingError: The file is not UTF-8.
        CompressedFileError: The file is damaged, or expands to an implausible size.
    """
    return decode_utf8(read_bytes(path))


def read_first_entry(path: str | os.PathLike[str]) -> tuple[str, Any]:
    """Return the first character of a JSON file, and the first entry if it is an array.

    Only as much of the file is read as the first entry takes, whatever its length.

    Returns:
        The character, or "" if there is none; and the entry, or `None` if there is none.

    Raises:
        ValueError: The file is not UTF-8, or the entry is broken, truncated or implausibly large.
    """
    with Path(path).open("rb") as plain:
        is_compressed = plain.read(len(_GZIP_SIGNATURE)) == _GZIP_SIGNATURE
        plain.seek(0)
        file = gzip.GzipFile(fileobj=plain) if is_compressed else plain
        data, size = b"", _FIRST_READ
        while True:
            try:
                piece = file.read(size)
            except (OSError, EOFError, zlib.error) as error:
                raise _damaged(path, error) from None
            data += piece
            found = _first_entry(data, path, is_complete=len(piece) < size)
            if found is not None:
                return found
            if is_compressed and len(data) > _UNLIMITED_SIZE:
                raise CompressedFileError(f"{path}: the first entry expands without end")
            size = len(data)


def _first_entry(
    data: bytes, path: str | os.PathLike[str], *, is_complete: bool
) -> tuple[str, Any] | None:
    """Return the result of `read_first_entry`; `None` if more of the file is needed."""
    other = _other_encoding(data[:4])
    if other is not None:
        raise ValueError(f"{path}, line 1: the text {EncodingError(other)}")
    # Cut through a character or not, the text before it is complete.
    text = data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace").lstrip()
    rest = text[1:].lstrip()
    if not text.startswith("[") or rest.startswith("]"):
        return (text[:1], None) if text or is_complete else None
    try:
        return "[", json.JSONDecoder().raw_decode(rest)[0]
    except (ValueError, RecursionError) as error:
        if is_complete:
            raise ValueError(f"{path} is truncated or not JSON: {error}") from None
        return None


def iter_lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, bytes]]:
    """Yield (number from 1, line) of a file, decompressed if necessary, without blank lines.

    The byte order mark of UTF-8 is removed; the lines are not decoded, so that an error can name
    each of them.

    Raises:
        EncodingError: The file is UTF-16 or UTF-32.
        CompressedFileError: The file is damaged, or expands to an implausible size.
    """
    with Path(path).open("rb") as file:
        is_compressed = file.read(len(_GZIP_SIGNATURE)) == _GZIP_SIGNATURE
        file.seek(0)
        lines = io.BytesIO(_decompress(file.read(), path)) if is_compressed else file
        for number, line in enumerate(lines, start=1):
            if number == 1:
                other = _other_encoding(line[:4])
                if other is not None:
                    raise EncodingError(other)
                line = line.removeprefix(codecs.BOM_UTF8)
            if not line.isspace():
                yield number, line


def existing_file(path: Path) -> Path | None:
    """Return a file, or its compressed form with the suffix .gz; `None` if neither exists."""
    compressed = path.with_name(path.name + GZIP_SUFFIX)
    return next((place for place in (path, compressed) if place.is_file()), None)


def plain_suffix(path: Path) -> str:
    """Return the suffix of a file without that of its compression: .json for both a.json(.gz)."""
    is_compressed = path.suffix.lower() == GZIP_SUFFIX
    return (path.with_suffix("") if is_compressed else path).suffix.lower()


def _other_encoding(head: bytes) -> str | None:
    """Return the encoding of text that begins with `head`, unless it may be UTF-8.

    JSON begins with an ASCII character, so that a zero next to it means UTF-16 or UTF-32.
    """
    for mark, name in _OTHER_MARKS.items():
        if head.startswith(mark):
            return name
    zeros = [byte == 0 for byte in head]
    if zeros in ([False, True, True, True], [True, True, True, False]):
        return "UTF-32"
    return "UTF-16" if zeros[:2] in ([False, True], [True, False]) else None


def _decompress(data: bytes, path: str | os.PathLike[str]) -> bytes:
    limit = max(_UNLIMITED_SIZE, _MAX_RATIO * len(data))
    pieces = bytearray()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            while piece := file.read(_CHUNK):
                pieces += piece
                if len(pieces) > limit:
                    raise CompressedFileError(
                        f"{path} must be compressed annotations or predictions, got {len(data):,} "
                        f"bytes that expand to more than {limit:,}; decompress the file first if "
                        "you trust it"
                    )
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path, error) from None
    return bytes(pieces)


def _damaged(path: str | os.PathLike[str], error: Exception) -> CompressedFileError:
    return CompressedFileError(
        f"{path} must be a complete gzip file, got a damaged one ({error}); copy it again"
    )
