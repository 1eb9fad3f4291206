from collections import Counter

import numpy as np
import pytest

from vgtoolbox.shapes.evaluator import evaluate
from vgtoolbox.shapes.programs import (
    Except,
    Filter,
    Region,
    Relate,
    Union,
    leaf_values,
)
from vgtoolbox.shapes.sampler import Number, ProgramSampler, is_sayable
from vgtoolbox.shapes.scales import SCALES


def drafts(draw_scene, scale: str, kind: str, scenes: int = 25):
    for seed in range(scenes):
        scene = draw_scene(scale, seed).scene
        sampler = ProgramSampler(scene, SCALES[scale], np.random.default_rng(seed))
        for _ in range(6):
            draft = sampler.draw(kind)
            if draft is not None:
                yield scene, draft


@pytest.mark.parametrize("scale", list(SCALES))
@pytest.mark.parametrize(
    ("kind", "fits"), [("single", {1}), ("multi", {2, 3, 4, 5}), ("none", {0})]
)
def test_kind_is_what_the_evaluator_finds(draw_scene, scale: str, kind: str, fits: set) -> None:
    found = list(drafts(draw_scene, scale, kind))
    assert len(found) > 75
    for scene, draft in found:
        assert evaluate(draft.program, scene) == draft.targets
        assert (min(len(draft.targets), 2) if kind == "multi" else len(draft.targets)) in fits


def test_a_singular_phrase_never_names_several(draw_scene) -> None:
    for kind in ("single", "multi"):
        for _, draft in drafts(draw_scene, "small", kind):
            if draft.number is Number.SINGULAR and not isinstance(draft.program, Union):
                assert len(draft.targets) == 1


def test_a_near_miss_keeps_the_form_of_a_true_expression(draw_scene) -> None:
    """Which attributes are said, how often, and in which number: no tell-tale difference."""

    def shares(kinds) -> Counter:
        found = [draft for kind in kinds for _, draft in drafts(draw_scene, "tiny", kind, 60)]
        forms = Counter(
            (draft.family, tuple(path[-1] for path, _ in leaf_values(draft.program)))
            for draft in found
        )
        return Counter({form: count / len(found) for form, count in forms.items()})

    true, false = shares(("single", "single", "single", "multi", "multi")), shares(("none",))
    difference = sum(abs(true[form] - false[form]) for form in true | false) / 2
    assert difference < 0.3


@pytest.mark.parametrize(
    ("program", "sayable"),
    [
        (Relate(Filter("circle", "red"), "above", Filter("circle")), False),
        (Relate(Filter("circle"), "above", Filter("circle", "red")), True),
        (Except(Filter("circle", "red"), Filter(colour="red")), False),
        (Union(Filter("circle"), Filter("circle", "red")), False),
        (Region(Relate(Filter("star"), "above", Filter("star")), "left"), False),
    ],
)
def test_contradictions_are_not_sayable(program, sayable: bool) -> None:
    assert is_sayable(program) is sayable
