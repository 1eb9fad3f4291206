from dataclasses import replace

import pytest

from vgtoolbox.shapes.evaluator import AmbiguousExpressionError, evaluate
from vgtoolbox.shapes.programs import (
    Compare,
    Count,
    Except,
    Extent,
    Extreme,
    Filter,
    Nearest,
    Ordinal,
    Region,
    Relate,
    Union,
)
from vgtoolbox.shapes.scene import Scene

CIRCLE, SQUARE = Filter(shape="circle"), Filter(shape="square")
BLUE, RED = Filter(color="blue"), Filter(color="red")
STAR = Filter(shape="star")


@pytest.mark.parametrize(
    ("program", "targets"),
    [
        (Filter(), {0, 1, 2, 3}),
        (CIRCLE, {0, 2}),
        (Filter(shape="square", color="red"), {3}),
        (STAR, set()),
        (Region(Filter(), "left"), {0, 2}),
        (Region(RED, "bottom"), {2, 3}),
        (Region(STAR, "top"), set()),
        (Relate(CIRCLE, "left of", BLUE), {0, 2}),
        (Relate(RED, "below", BLUE), {2, 3}),
        (Relate(CIRCLE, "right of", BLUE), set()),
        (Relate(CIRCLE, "above", STAR), set()),
        (Compare(Filter(), "bigger", Filter(shape="square", color="red")), None),
        (Compare(SQUARE, "bigger", Filter(shape="square", color="red")), {1}),
        (Compare(RED, "smaller", BLUE), {0, 2, 3}),
        (Extreme(RED, "left"), {0}),
        (Extreme(RED, "bottom", 2), {2, 3}),
        (Extreme(CIRCLE, "left", 3), set()),
        (Ordinal(RED, "left", 2), {2}),
        (Ordinal(RED, "top", 3), {3}),
        (Ordinal(RED, "top", 4), set()),
        (Extent(SQUARE, "biggest"), {1}),
        (Extent(SQUARE, "smallest"), {3}),
        (Extent(STAR, "biggest"), set()),
        (Extent(CIRCLE, "biggest"), None),
        (Nearest(CIRCLE, Filter(shape="square", color="red")), {2}),
        (Nearest(STAR, BLUE), set()),
        (Count(CIRCLE, 2), {0, 2}),
        (Count(CIRCLE, 3), set()),
        (Except(SQUARE, RED), {1}),
        (Except(CIRCLE, RED), set()),
        (Union(CIRCLE, BLUE), {0, 1, 2}),
        (Union(CIRCLE, RED), None),
        (Union(CIRCLE, STAR), None),
        (Union(STAR, Filter(shape="ring")), set()),
        (Relate(CIRCLE, "left of", SQUARE), None),
    ],
)
def test_programs_select_objects_or_are_ambiguous(scene: Scene, program, targets) -> None:
    if targets is None:
        with pytest.raises(AmbiguousExpressionError):
            evaluate(program, scene)
    else:
        assert evaluate(program, scene) == targets


@pytest.mark.parametrize("shift", [0, 5, 11])
def test_positions_within_the_margin_are_ambiguous(scene: Scene, shift: int) -> None:
    """6 % of 200 px are 12 px."""
    first, second = scene.objects[0], scene.objects[2]
    x, y, w, h = first.box_xywh
    near = replace(second, box_xywh=(x + shift, y + 60, w, h))
    close = replace(scene, objects=(first, near))
    for program in (Extreme(CIRCLE, "left"), Ordinal(CIRCLE, "right", 1)):
        with pytest.raises(AmbiguousExpressionError):
            evaluate(program, close)
    assert evaluate(Extreme(CIRCLE, "top"), close) == {0}


def test_sizes_reversed_by_occlusion_are_ambiguous(scene: Scene) -> None:
    big, small = scene.objects[1], scene.objects[3]
    hidden = replace(scene, objects=(replace(big, visible_area=small.visible_area // 2), small))
    with pytest.raises(AmbiguousExpressionError, match="size"):
        evaluate(Extent(SQUARE, "biggest"), hidden)


def test_anchor_is_not_compared_with_itself(scene: Scene) -> None:
    """The blue square would be on its own dividing line."""
    assert evaluate(Relate(Filter(), "below", BLUE), scene) == {2, 3}
