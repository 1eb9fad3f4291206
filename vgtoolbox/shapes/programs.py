"""Expressions as programs: a small tree that names a set of objects, and its plain-value form.

A noun phrase restricts (`Filter`, `Region`, `Relate`, `Compare`), then may select (`Extreme`,
`Ordinal`, `Extent`, `Nearest`, `Count`), exclude (`Except`) or join (`Union`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Filter:
    """Objects that have every attribute that is not None."""

    shape: str | None = None
    colour: str | None = None
    size: str | None = None
    texture: str | None = None


@dataclass(frozen=True)
class Region:
    """Members of `operand` in the half of the image at `side`."""

    operand: Program
    side: str


@dataclass(frozen=True)
class Relate:
    """Members of `operand` that stand `relation` ("left of", ...) the one `anchor`."""

    operand: Program
    relation: str
    anchor: Program


@dataclass(frozen=True)
class Compare:
    """Members of `operand` that are `comparison` ("bigger", "smaller") than the one `anchor`."""

    operand: Program
    comparison: str
    anchor: Program


@dataclass(frozen=True)
class Extreme:
    """The `number` members of `operand` furthest to `side`; none where there are fewer."""

    operand: Program
    side: str
    number: int = 1


@dataclass(frozen=True)
class Ordinal:
    """The member of `operand` that is number `rank` counted from `side`."""

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
    """The member of `operand` whose centre is nearest to that of the one `anchor`."""

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
    """Members of either phrase."""

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


def serialise_program(program: Program) -> dict[str, Any]:
    """Return `program` as nested plain values, fit for JSON."""
    values = {field.name: getattr(program, field.name) for field in fields(program)}
    nested = {
        name: serialise_program(value) if isinstance(value, _NODE_TYPES) else value
        for name, value in values.items()
        if value is not None
    }
    return {"op": type(program).__name__.lower(), **nested}


def parse_program(record: dict[str, Any]) -> Program:
    """Return the program that `serialise_program` wrote.

    Raises:
        ValueError: an operation or a field is unknown.
    """
    node_types = {node.__name__.lower(): node for node in _NODE_TYPES}
    arguments: dict[str, Any] = {
        name: parse_program(value) if isinstance(value, dict) else value
        for name, value in record.items()
        if name != "op"
    }
    node_type = node_types.get(record.get("op", ""))
    if node_type is None:
        raise ValueError(f"op {record.get('op')!r} is none of {sorted(node_types)}")
    try:
        return node_type(**arguments)
    except TypeError as error:
        raise ValueError(f"cannot build {node_type.__name__} from {sorted(arguments)}") from error


def leaf_values(program: Program, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple, Any]]:
    """Yield (path, value) of every word or number in `program`; a path is a row of field names."""
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
