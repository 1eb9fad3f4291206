import json

import numpy as np
import pytest

from vgtoolbox.shapes.programs import (
    Count,
    Filter,
    Region,
    Relate,
    leaf_values,
    parse_program,
    replace_leaf,
    serialise_program,
)
from vgtoolbox.shapes.sampler import ProgramSampler
from vgtoolbox.shapes.scales import SCALES

NESTED = Count(Relate(Region(Filter(colour="red"), "left"), "above", Filter(shape="star")), 2)


def test_plain_form_survives_json(draw_scene) -> None:
    rng = np.random.default_rng(0)
    sampler = ProgramSampler(draw_scene("large", 1).scene, SCALES["large"], rng)
    drafts = [draft for _ in range(60) if (draft := sampler.draw("single")) is not None]
    assert len({draft.family for draft in drafts}) > 5
    for program in [NESTED, *(draft.program for draft in drafts)]:
        assert parse_program(json.loads(json.dumps(serialise_program(program)))) == program


@pytest.mark.parametrize(
    "record",
    [{"op": "teleport"}, {}, {"op": "filter", "weight": "heavy"}, {"op": "count", "number": 2}],
)
def test_refuses_what_is_no_program(record) -> None:
    with pytest.raises(ValueError):
        parse_program(record)


def test_leaves_are_found_and_replaced_by_their_path() -> None:
    leaves = dict(leaf_values(NESTED))
    assert leaves[("operand", "operand", "operand", "colour")] == "red"
    assert leaves[("number",)] == 2
    assert len(leaves) == 5
    changed = replace_leaf(NESTED, ("operand", "anchor", "shape"), "ring")
    assert changed.operand.anchor == Filter(shape="ring")
    assert NESTED.operand.anchor == Filter(shape="star")
