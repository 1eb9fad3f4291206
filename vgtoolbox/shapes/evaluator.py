"""Evaluate programs in a scene, and reject those that a person could find ambiguous.

The evaluator decides the labels. It is independent of how programs are sampled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import singledispatch
from math import hypot

from vgtoolbox.shapes.attributes import ATTRIBUTE_NAMES, RELATIONS, SIDES
from vgtoolbox.shapes.programs import (
    Compare,
    Count,
    Except,
    Extent,
    Extreme,
    Filter,
    Nearest,
    Ordinal,
    Program,
    Region,
    Relate,
    Union,
)
from vgtoolbox.shapes.scene import Scene, SceneObject

POSITION_MARGIN = 0.06
"""Positions that differ by less than this share of the image side are ambiguous."""
DISTANCE_MARGIN = 0.07
"""Distances that differ by less than this share of the image diagonal are ambiguous."""
AREA_RATIO = 1.3
"""Areas with a lower ratio are ambiguous."""


class AmbiguousExpressionError(ValueError):
    """The program has no unambiguous answer in the scene."""


@singledispatch
def evaluate(program: Program, scene: Scene) -> frozenset[int]:
    """Return the indices of the objects that `program` names in `scene`.

    Raises:
        AmbiguousExpressionError: A position, distance or size is within its margin, or a phrase
            for one object fits several.
        TypeError: `program` is not a program.
    """
    raise TypeError(f"program must be a node of vgtoolbox.shapes.programs, got {program!r}")


@evaluate.register
def _(program: Filter, scene: Scene) -> frozenset[int]:
    wanted = [(name, getattr(program, name)) for name in ATTRIBUTE_NAMES]
    members: Iterable[int] = range(len(scene.objects))
    for name, value in wanted:
        if value is not None:
            members = [i for i in members if getattr(scene.objects[i], name) == value]
    return frozenset(members)


@evaluate.register
def _(program: Region, scene: Scene) -> frozenset[int]:
    depth, limit = _depth(program.side, scene), _side_length(program.side, scene) / 2
    margin = POSITION_MARGIN * 2 * limit
    return _split(
        evaluate(program.operand, scene), lambda i: limit - depth(scene.objects[i]), margin
    )


@evaluate.register
def _(program: Relate, scene: Scene) -> frozenset[int]:
    members = evaluate(program.operand, scene)
    anchor = _only(evaluate(program.anchor, scene))
    if anchor is None:
        return frozenset()
    side = SIDES[RELATIONS.index(program.relation)]
    depth, margin = _depth(side, scene), POSITION_MARGIN * _side_length(side, scene)
    limit = depth(scene.objects[anchor])
    return _split(members - {anchor}, lambda i: limit - depth(scene.objects[i]), margin)


@evaluate.register
def _(program: Compare, scene: Scene) -> frozenset[int]:
    members = evaluate(program.operand, scene)
    anchor = _only(evaluate(program.anchor, scene))
    if anchor is None:
        return frozenset()
    bigger = frozenset(i for i in members - {anchor} if _is_bigger(scene, i, anchor))
    return bigger if program.comparison == "bigger" else members - {anchor} - bigger


@evaluate.register
def _(program: Extreme, scene: Scene) -> frozenset[int]:
    order = _order_from(program.side, evaluate(program.operand, scene), scene)
    if len(order) < program.number:
        return frozenset()
    _require_gaps(order, program.side, scene, around=(program.number - 1,))
    return frozenset(order[: program.number])


@evaluate.register
def _(program: Ordinal, scene: Scene) -> frozenset[int]:
    order = _order_from(program.side, evaluate(program.operand, scene), scene)
    if len(order) < program.rank:
        return frozenset()
    _require_gaps(order, program.side, scene, around=range(program.rank))
    return frozenset([order[program.rank - 1]])


@evaluate.register
def _(program: Extent, scene: Scene) -> frozenset[int]:
    members = evaluate(program.operand, scene)
    sign = -1 if program.extent == "biggest" else 1
    order = sorted(members, key=lambda i: sign * scene.objects[i].full_area)
    for other in order[1:]:
        _is_bigger(scene, order[0], other)
    return frozenset(order[:1])


@evaluate.register
def _(program: Nearest, scene: Scene) -> frozenset[int]:
    members = evaluate(program.operand, scene)
    anchor = _only(evaluate(program.anchor, scene))
    if anchor is None:
        return frozenset()
    distances = {i: _distance(scene, i, anchor) for i in members - {anchor}}
    order = sorted(distances, key=lambda i: distances[i])
    margin = DISTANCE_MARGIN * hypot(scene.width, scene.height)
    if len(order) > 1 and distances[order[1]] - distances[order[0]] < margin:
        raise AmbiguousExpressionError("two objects are at about the same distance")
    return frozenset(order[:1])


@evaluate.register
def _(program: Count, scene: Scene) -> frozenset[int]:
    members = evaluate(program.operand, scene)
    return members if len(members) == program.number else frozenset()


@evaluate.register
def _(program: Except, scene: Scene) -> frozenset[int]:
    return evaluate(program.operand, scene) - evaluate(program.excluded, scene)


@evaluate.register
def _(program: Union, scene: Scene) -> frozenset[int]:
    first, second = evaluate(program.first, scene), evaluate(program.second, scene)
    if bool(first) != bool(second):
        raise AmbiguousExpressionError("one half of the union names nothing")
    if first & second:
        raise AmbiguousExpressionError("both halves of the union name the same object")
    return first | second


def _only(members: frozenset[int]) -> int | None:
    """Return the only member; `None` if there is none."""
    if len(members) > 1:
        raise AmbiguousExpressionError(f"a definite phrase names {len(members)} objects")
    return next(iter(members), None)


def _side_length(side: str, scene: Scene) -> int:
    return scene.width if side in ("left", "right") else scene.height


def _depth(side: str, scene: Scene) -> Callable[[SceneObject], float]:
    """Return a function from an object to the distance in pixels of its center from `side`."""
    axis = 0 if side in ("left", "right") else 1
    if side in ("left", "top"):
        return lambda item: item.center_xy[axis]
    return lambda item: _side_length(side, scene) - item.center_xy[axis]


def _split(
    members: frozenset[int], signed_distance: Callable[[int], float], margin: float
) -> frozenset[int]:
    """Return the members on the positive side of a line; none may be within `margin` of it."""
    distances = {i: signed_distance(i) for i in members}
    if any(abs(distance) < margin for distance in distances.values()):
        raise AmbiguousExpressionError("an object is on the dividing line")
    return frozenset(i for i, distance in distances.items() if distance > 0)


def _order_from(side: str, members: frozenset[int], scene: Scene) -> list[int]:
    depth = _depth(side, scene)
    return sorted(members, key=lambda i: depth(scene.objects[i]))


def _require_gaps(order: list[int], side: str, scene: Scene, *, around: Iterable[int]) -> None:
    """Raise if the objects at positions k and k + 1 are too close, for any k in `around`."""
    depths = [_depth(side, scene)(scene.objects[i]) for i in order]
    margin = POSITION_MARGIN * _side_length(side, scene)
    if any(k + 1 < len(depths) and depths[k + 1] - depths[k] < margin for k in around):
        raise AmbiguousExpressionError(f"two objects are about equally far from the {side} side")


def _is_bigger(scene: Scene, first: int, second: int) -> bool:
    """Return whether `first` is bigger; the full and the visible areas must agree."""
    a, b = scene.objects[first], scene.objects[second]
    ratio = a.full_area / b.full_area
    clear = ratio >= AREA_RATIO or ratio <= 1 / AREA_RATIO
    if not clear or (ratio > 1) != (a.visible_area > b.visible_area):
        raise AmbiguousExpressionError("two objects are of about the same size")
    return ratio > 1


def _distance(scene: Scene, first: int, second: int) -> float:
    (ax, ay), (bx, by) = scene.objects[first].center_xy, scene.objects[second].center_xy
    return hypot(ax - bx, ay - by)
