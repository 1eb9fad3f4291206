"""Mutate JSON and JSON lines by their structure."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

from fuzzing.byte_mutators import change_encoding, flip_bytes

_HOLE = "@@hole@@"
# Texts in place of values that `json.dumps` does not write.
_RAW = (
    *("NaN", "Infinity", "-Infinity", "1e999", "-0.0", "1e-400", "9" * 5000, "[" * 3000, "{}}"),
    *('{"a":' * 3000, "[" * 200 + "]" * 200, '"\\ud800"', '"\\udfff\\ud800"', '"\\u0000"'),
    *('{"id": 1, "id": 2}', "'single'", "0x1F", "1_000", "// comment", "+1", ".5", ""),
)
_NUMBERS = (
    *(0, 1, -1, 2, 255, 2**31, 2**31 - 1, -(2**31), 2**32, 2**53 + 1, 2**63, -(2**63) - 1, 10**30),
    *(0.5, -0.5, 1e308, -1e308, 1e-300, 1e9, 99999, 100000, 1e15, 0.1 + 0.2, True, False),
)
_TEXTS = (
    *("", " ", "a", "null", "0", "-1", "1e5", "\x00", "\ud800", "é", "日本語", "\u202eabc", "a\nb"),
    *("val", "train", "../../../etc/passwd", "/", ".", "..", "/dev/zero", "a" * 5000, "{folder}"),
    *("{image_id.__class__}", "{0}", "%d", "{image_id:999999999d}", "http://127.0.0.1:1/x.jpg"),
    *("0" * 3000, "?" * 30, "~" * 12 + "1", "PPPPPPPP0", "X4", "the left dog", "...", "[MASK:0]"),
)


def mutate_json(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Change one value or key of a JSON file; a file that is not JSON is returned as it is."""
    try:
        content = json.loads(data)
        donors = [json.loads(other) for other in others[:3]]
    except (ValueError, RecursionError):
        return data
    try:
        return _mutated_text(rng, content, donors).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        return data


def mutate_json_lines(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Change a line of JSON, or write all lines as one list."""
    lines = data.split(b"\n")
    place = rng.randrange(len(lines))
    if rng.random() < 0.05:
        return b"[" + b",".join(line for line in lines if line.strip()) + b"]"
    lines[place] = mutate_json(rng, lines[place], lines)
    return b"\n".join(lines)


def mutate_json_encoding(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Write JSON with unescaped characters in another encoding."""
    try:
        text = json.dumps(json.loads(data), ensure_ascii=False).replace("e", "é", 1)
    except (ValueError, RecursionError):
        text = data.decode("utf-8", "replace")
    return change_encoding(rng, text.encode("utf-8", "replace"), others)


def compress(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Compress with gzip, which readers of annotations recognize by its first bytes."""
    filler = bytes(rng.choice((0, 0, 1 << 20))).replace(b"\0", b" ")
    packed = gzip.compress(data + filler, mtime=0)
    return packed if rng.random() < 0.5 else flip_bytes(rng, packed, others)


def random_value(rng: random.Random, donors: Sequence[Any] = ()) -> Any:
    """Return a value of any type, often at the edge of its range."""
    kind = rng.randrange(6)
    if kind == 0:
        return rng.choice(_NUMBERS)
    if kind == 1:
        return rng.choice(_TEXTS)
    if kind == 2:
        return rng.choice((None, [], {}, [[]], [None], {"": {}}, [{}], {"size": [0, 0]}))
    if kind == 3:
        return [rng.choice(_NUMBERS)] * rng.choice((1, 2, 3, 4, 6, 7, 1000, 20000))
    if kind == 4 and donors:
        return _random_node(rng, rng.choice(donors))
    return rng.choice(
        (
            {"size": [48, 64], "counts": rng.choice(_TEXTS)},
            {"size": [48, 64], "counts": [rng.choice(_NUMBERS) for _ in range(3)]},
            {"size": rng.choice(([48], [64, 48], [2**31, 2], [48.0, 64.0])), "counts": "P0"},
            [[rng.choice(_NUMBERS) for _ in range(6)]],
            [rng.uniform(-100, 200) for _ in range(4)],
        )
    )


def _mutated_text(rng: random.Random, content: Any, donors: Sequence[Any]) -> str:
    places = list(_places(content))
    hole = ""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if not places:
            return json.dumps(random_value(rng, donors))
        parent, key = rng.choice(places)
        if rng.random() < 0.15:
            hole = rng.choice(_RAW)
            parent[key] = _HOLE
        else:
            rng.choice(_ACTIONS)(rng, parent, key, donors)
        places = list(_places(content))
    return json.dumps(content).replace(f'"{_HOLE}"', hole)


def _places(node: Any) -> list[tuple[Any, Any]]:
    """Return (container, key) of all values."""
    found: list[tuple[Any, Any]] = []
    stack = [node]
    while stack:
        node = stack.pop()
        if isinstance(node, dict | list):
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            found += [(node, key) for key in keys]
            stack += [node[key] for key in keys]
    return found


def _random_node(rng: random.Random, node: Any) -> Any:
    places = _places(node)
    if not places:
        return node
    parent, key = rng.choice(places)
    return parent[key]


def _replace(rng: random.Random, parent: Any, key: Any, donors: Sequence[Any]) -> None:
    parent[key] = random_value(rng, donors)


def _perturb(rng: random.Random, parent: Any, key: Any, donors: Sequence[Any]) -> None:
    """Change a value to another of its type."""
    value = parent[key]
    if isinstance(value, bool):
        parent[key] = not value
    elif isinstance(value, int | float):
        parent[key] = rng.choice((-value, value + 1, value * 1000, value / 7, rng.choice(_NUMBERS)))
    elif isinstance(value, str):
        cut = rng.randrange(len(value) + 1)
        part = rng.choice(
            (_TEXTS[rng.randrange(len(_TEXTS))], value[cut:] * 2, chr(rng.randrange(128)))
        )
        parent[key] = value[:cut] + part + rng.choice(("", value[cut:]))
    elif isinstance(value, list):
        rng.shuffle(value)
    else:
        parent[key] = [value]


def _drop(rng: random.Random, parent: Any, key: Any, donors: Sequence[Any]) -> None:
    del parent[key]


def _duplicate(rng: random.Random, parent: Any, key: Any, donors: Sequence[Any]) -> None:
    if isinstance(parent, list):
        parent[key:key] = [parent[key]] * rng.choice((1, 1, 2, 300))
    else:
        parent[rng.choice((f"{key} ", str(key).upper(), "id", "type", "segmentation"))] = parent[
            key
        ]


def _rename(rng: random.Random, parent: Any, key: Any, donors: Sequence[Any]) -> None:
    if isinstance(parent, dict):
        parent[rng.choice((*_TEXTS[:9], *parent))] = parent.pop(key)
    else:
        parent[key] = {str(key): parent[key]}


def _retype(rng: random.Random, parent: Any, key: Any, donors: Sequence[Any]) -> None:
    value = parent[key]
    changes: tuple[Callable[[], Any], ...] = (
        lambda: str(value)[:5000],
        lambda: [value],
        lambda: {"": value},
        lambda: list(value) if isinstance(value, str | dict) else None,
        lambda: float(value) if isinstance(value, int) else bool(value),
        lambda: dict(enumerate(value)) if isinstance(value, list) else 0,
    )
    parent[key] = rng.choice(changes)()


_ACTIONS = (_replace, _replace, _perturb, _perturb, _drop, _duplicate, _rename, _retype)
