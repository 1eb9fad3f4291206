"""Programs: trees of operations that select objects of a scene, and their serialized form.

A noun phrase restricts (`Filter`, `Region`, `Relate`, `Compare`), then may select (`Extreme`,
`Ordinal`, `Extent`, `Nearest`, `Count`), exclude (`Except`) or join (`Union`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias

from vgtoolbox.shapes.attributes import FILE_KEYS
from vgtoolbox.utils.choices import check_choice


@dataclass(frozen=True)
class Filter:
    """Objects with the given attributes; `None` allows any value."""

    shape: str | None = None
    color: str | None = None
    size: str | None = None
    texture: str | None = None


@dataclass(frozen=True)
class Region:
    """Members of `operand` in the half of the image at `side`."""

    operand: Program
    side: str


@dataclass(frozen=True)
class Relate:
    """Members of `operand` that are `relation` ("left of", ...) the only member of `anchor`."""

    operand: Program
    relation: str
    anchor: Program


@dataclass(frozen=True)
class Compare:
    """Members of `operand` that are "bigger" or "smaller" than the only member of `anchor`."""

    operand: Program
    comparison: str
    anchor: Program


@dataclass(frozen=True)
class Extreme:
    """The `number` members of `operand` furthest to `side`; none if there are fewer."""

    operand: Program
    side: str
    number: int = 1


@dataclass(frozen=True)
class Ordinal:
    """The `rank`-th member of `operand`, counted from `side`."""

    operand: Program
    side: str
    rank: int


@dataclass(frozen=True)
class Extent:
    """The "biggest" or "smallest" member of `operand`."""

    operand: Program
    extent: str


@dataclass(frozen=True)
class Nearest:
    """The member of `operand` whose center is nearest to that of the only member of `anchor`."""

    operand: Program
    anchor: Program


@dataclass(frozen=True)
class Count:
    """All members of `operand` if there are exactly `number`, else none."""

    operand: Program
    number: int


@dataclass(frozen=True)
class Except:
    """Members of `operand` that are not members of `excluded`."""

    operand: Program
    excluded: Filter


@dataclass(frozen=True)
class Union:
    """Members of `first` or `second`."""

    first: Program
    second: Program


Program: TypeAlias = (
    Filter
    | Region
    | Relate
    | Compare
    | Extreme
    | Ordinal
    | Extent
    | Nearest
    | Count
    | Except
    | Union
)

_NODE_TYPES = (
    Filter,
    Region,
    Relate,
    Compare,
    Extreme,
    Ordinal,
    Extent,
    Nearest,
    Count,
    Except,
    Union,
)


def serialize_program(program: Program) -> dict[str, Any]:
    """Return `program` as nested plain values for JSON."""
    values = {field.name: getattr(program, field.name) for field in fields(program)}
    nested = {
        FILE_KEYS.get(name, name): (
            serialize_program(value) if isinstance(value, _NODE_TYPES) else value
        )
        for name, value in values.items()
        if value is not None
    }
    return {"op": type(program).__name__.lower(), **nested}


def parse_program(record: dict[str, Any]) -> Program:
    """Return the program of a record that `serialize_program` wrote.

    Raises:
        ValueError: An operation or a field is unknown, or a field is missing.
    """
    names = {key: name for name, key in FILE_KEYS.items()}
    node_types = {node.__name__.lower(): node for node in _NODE_TYPES}
    arguments: dict[str, Any] = {
        names.get(key, key): parse_program(value) if isinstance(value, dict) else value
        for key, value in record.items()
        if key != "op"
    }
    check_choice("op", record.get("op"), node_types)
    node_type = node_types[record["op"]]
    try:
        return node_type(**arguments)
    except TypeError as error:
        expected = [field.name for field in fields(node_type)]
        raise ValueError(
            f"fields of op {record['op']!r} must be {expected}, got {sorted(arguments)}"
        ) from error


def leaf_values(program: Program, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple, Any]]:
    """Yield (path, value) of each word or number in `program`; a path is a tuple of field names."""
    for field in fields(program):
        value = getattr(program, field.name)
        if isinstance(value, _NODE_TYPES):
            yield from leaf_values(value, (*path, field.name))
        elif value is not None:
            yield (*path, field.name), value


def replace_leaf(program: Program, path: tuple[str, ...], value: Any) -> Program:
    """Return `program` with the leaf at `path` set to `value`."""
    name, *rest = path
    if rest:
        value = replace_leaf(getattr(program, name), tuple(rest), value)
    return replace(program, **{name: value})
