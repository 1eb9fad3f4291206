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
    serialize_program,
)
from vgtoolbox.shapes.sampler import ProgramSampler
from vgtoolbox.shapes.scales import SCALES

NESTED = Count(Relate(Region(Filter(color="red"), "left"), "above", Filter(shape="star")), 2)


def test_programs_survive_a_round_trip_through_json(draw_scene) -> None:
    rng = np.random.default_rng(0)
    sampler = ProgramSampler(draw_scene("large", 1).scene, SCALES["large"], rng)
    drafts = [draft for _ in range(60) if (draft := sampler.draw("single")) is not None]
    assert len({draft.family for draft in drafts}) > 5
    for program in [NESTED, *(draft.program for draft in drafts)]:
        assert parse_program(json.loads(json.dumps(serialize_program(program)))) == program


def test_colors_keep_their_key_in_files() -> None:
    record = {"op": "filter", "colour": "red"}  # prose: ok
    assert serialize_program(Filter(color="red")) == record
    assert parse_program(record) == Filter(color="red")


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"op": "teleport"}, "op must be 'filter', .* or 'union', got 'teleport'"),
        ({}, "got None"),
        ({"op": "filter", "weight": "heavy"}, r"fields of op 'filter' .* got \['weight'\]"),
        ({"op": "count", "number": 2}, r"must be \['operand', 'number'\], got \['number'\]"),
    ],
)
def test_invalid_records_raise(record, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_program(record)


def test_leaves_are_found_and_replaced_by_path() -> None:
    leaves = dict(leaf_values(NESTED))
    assert leaves[("operand", "operand", "operand", "color")] == "red"
    assert leaves[("number",)] == 2
    assert len(leaves) == 5
    changed = replace_leaf(NESTED, ("operand", "anchor", "shape"), "ring")
    assert changed.operand.anchor == Filter(shape="ring")
    assert NESTED.operand.anchor == Filter(shape="star")
