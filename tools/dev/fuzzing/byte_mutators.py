"""Mutate bytes and text without knowledge of their format."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable, Sequence

MAX_BYTES = 1 << 18
_INTERESTING = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_WIDE = (0, 1, 2**31, 2**32, 2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1)
_TOKENS = (
    *("-1", "0", "1e308", "1e999", "NaN", "-Infinity", str(2**31), str(2**63), "9" * 400, "0x10"),
    *(
        "null",
        "None",
        "true",
        "{}",
        "[]",
        '""',
        "''",
        "\\ud800",
        "\\u0000",
        "\0",
        "\ufeff",
        "\u202e",
    ),
    *("../../etc/passwd", "/dev/zero", "http://127.0.0.1:1/a.png", "file:///etc/passwd", "%s%n"),
    *("type='os.system'", "__import__('os')", "!!python/object/apply:os.system [id]", "&a *a"),
    *("*" * 40, "(" * 300, "[" * 300, "{" * 300, "- " * 300, "lambda: 0", "a" * 5000, "\n\n", "\r"),
)

_LITERAL = re.compile(rb"'[^'\n]*'|-?\b\d+(?:\.\d+)?(?:e-?\d+)?\b|\b(?:True|False|None)\b")
_LITERALS = (
    *(b"0", b"-1", b"1", b"3", b"7", b"64", b"4097", b"100000", b"16777217", b"2**9", b"10**400"),
    *(b"1e308", b"-0.5", b"1e-9", b"None", b"True", b"[]", b"{}", b"()", b"''", b"b'a'", b"1j"),
    *(b"'a'", b"'vgtoolbox.InstanceVG'", b"'LoadImage'", b"'os.system'", b"'../../x'", b"'\\0'"),
    *(b"{'type': 'InstanceVG'}", b"{'type': 'BERT'}", b"[[1, 2], [3]]", b"(224, 224)", b"{1: 2}"),
    *(b"'http://127.0.0.1:1/x'", b"'/dev/zero'", b"[0] * 9", b"9" * 300, b"...", b"{'a', 'b'}"),
)

Mutator = Callable[[random.Random, bytes, Sequence[bytes]], bytes]


def flip_bytes(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Change some bits or bytes."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        if changed:
            place = rng.randrange(len(changed))
            changed[place] = rng.choice(
                (changed[place] ^ (1 << rng.randrange(8)), rng.randrange(256), 0, 0xFF)
            )
    return bytes(changed)


def truncate(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Drop the end, the beginning, or a part in the middle."""
    first, last = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return rng.choice((data[:first], data[first:], data[:first] + data[last:]))


def splice(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Insert a part of another file, or replace a part by it."""
    other = rng.choice(others) if others else data
    first, last = sorted(rng.randrange(len(other) + 1) for _ in range(2))
    start, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    end = rng.choice((start, end))
    return data[:start] + other[first:last] + data[end:]


def repeat(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Repeat a part up to some thousand times."""
    start = rng.randrange(len(data) + 1)
    part = data[start : start + rng.choice((1, 2, 8, 64, 512))]
    times = min(rng.choice((2, 10, 5000)), MAX_BYTES // max(1, len(part)))
    return data[:start] + part * times + data[start:]


def insert_number(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Overwrite bytes with a number at the edge of its range, in either byte order."""
    width = rng.choice((1, 2, 4, 8))
    numbers = _WIDE if width == 8 else _INTERESTING
    number = rng.choice((*numbers, len(data), rng.getrandbits(8 * width))) % (1 << (8 * width))
    packed = struct.pack(rng.choice("<>") + {1: "B", 2: "H", 4: "I", 8: "Q"}[width], number)
    start = rng.randrange(len(data) + 1)
    return data[:start] + packed + data[start + width :]


def insert_token(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Insert a text that parsers stumble over, at the edge of a word or anywhere."""
    token = rng.choice(_TOKENS).encode("utf-8", "surrogatepass")
    edges = [i for i, byte in enumerate(data) if byte in b" ,:[]{}()=\"'\n"] or [0]
    start = rng.choice((rng.choice(edges), rng.randrange(len(data) + 1)))
    return data[:start] + token + data[start + rng.choice((0, 0, 1, len(token))) :]


def mutate_literals(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Replace literals of Python source by others, or by each other."""
    found = list(_LITERAL.finditer(data))
    if not found:
        return insert_token(rng, data, others)
    for match in sorted(
        rng.sample(found, min(len(found), rng.choice((1, 1, 2)))), key=lambda m: -m.start()
    ):
        new = rng.choice((*_LITERALS, rng.choice(found).group()))
        data = data[: match.start()] + new + data[match.end() :]
    return data


def mutate_lines(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Drop, repeat, swap or join lines."""
    lines = data.split(b"\n")
    place = rng.randrange(len(lines))
    action = rng.randrange(4)
    if action == 0:
        del lines[place]
    elif action == 1:
        lines[place:place] = [lines[place]] * rng.choice((1, 3, 500))
    elif action == 2:
        other = rng.randrange(len(lines))
        lines[place], lines[other] = lines[other], lines[place]
    else:
        lines[place : place + 2] = [b"".join(lines[place : place + 2])]
    return b"\n".join(lines)


def change_encoding(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Write the same text in another encoding, with or without a byte order mark."""
    text = data.decode("utf-8", "replace")
    encoding = rng.choice(("utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1", "cp1252"))
    return text.encode(encoding, "replace")


BYTES: tuple[Mutator, ...] = (flip_bytes, truncate, splice, repeat, insert_number)
TEXT: tuple[Mutator, ...] = (flip_bytes, truncate, splice, repeat, insert_token, mutate_lines)
