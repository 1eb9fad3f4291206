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
from vgtoolbox.shapes.sampler import GrammaticalNumber, ProgramSampler, is_consistent
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
def test_evaluated_targets_match_the_requested_kind(
    draw_scene, scale: str, kind: str, fits: set
) -> None:
    found = list(drafts(draw_scene, scale, kind))
    assert len(found) > 75
    for scene, draft in found:
        assert evaluate(draft.program, scene) == draft.targets
        assert (min(len(draft.targets), 2) if kind == "multi" else len(draft.targets)) in fits


def test_singular_phrases_never_have_several_targets(draw_scene) -> None:
    for kind in ("single", "multi"):
        for _, draft in drafts(draw_scene, "small", kind):
            if draft.number is GrammaticalNumber.SINGULAR and not isinstance(draft.program, Union):
                assert len(draft.targets) == 1


def test_no_target_expressions_have_the_form_of_true_ones(draw_scene) -> None:
    """The families and the attributes that they mention are distributed alike."""

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
    ("program", "consistent"),
    [
        (Relate(Filter("circle", "red"), "above", Filter("circle")), False),
        (Relate(Filter("circle"), "above", Filter("circle", "red")), True),
        (Except(Filter("circle", "red"), Filter(color="red")), False),
        (Union(Filter("circle"), Filter("circle", "red")), False),
        (Region(Relate(Filter("star"), "above", Filter("star")), "left"), False),
    ],
)
def test_phrases_that_include_each_other_are_inconsistent(program, consistent: bool) -> None:
    assert is_consistent(program) is consistent
