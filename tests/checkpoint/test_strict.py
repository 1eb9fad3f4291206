import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from vgtoolbox.checkpoint import CheckpointMismatchError, load_state_dict_strict
from vgtoolbox.checkpoint.strict import compare, strip_wrapper_prefix


class Grounder(nn.Module):
    def __init__(self, width=4, existence=True):
        super().__init__()
        self.backbone = nn.Linear(3, width)
        self.box_head = nn.Linear(width, 4)
        if existence:
            self.existence_head = nn.Linear(width, 1)


def zeros(shapes):
    return {key: torch.zeros(shape) for key, shape in shapes.items()}


def test_everything_is_loaded_and_reported():
    source, target = Grounder(), Grounder()
    report = load_state_dict_strict(target, source.state_dict())
    assert report.complete
    assert len(report.matched) == 6
    for found, expected in zip(target.parameters(), source.parameters(), strict=True):
        assert torch.equal(found, expected)


def test_the_prefix_of_a_data_parallel_wrapper_is_dropped():
    wrapped = {f"module.{key}": value for key, value in Grounder().state_dict().items()}
    assert load_state_dict_strict(Grounder(), wrapped).complete


@pytest.mark.parametrize(
    ("source", "counts", "cause"),
    [
        (Grounder(existence=False), "2 missing\n    existence_head.weight", "other parts"),
        (Grounder(width=6), "4 mis-shaped\n    backbone.weight: \\[6, 3\\]", "another size"),
        (nn.Linear(2, 2), "6 missing(?s:.*)... and 1 more\n2 unexpected", "another model"),
        (
            nn.ModuleDict({"net": Grounder(), "loss": nn.Linear(1, 1)}),
            "8 unexpected\n    net.backbone",
            "under 'net.'",
        ),
    ],
    ids=["missing parts", "other width", "other model", "prefix"],
)
def test_a_partial_match_loads_nothing_and_says_why(source, counts, cause):
    target = Grounder()
    before = {key: value.clone() for key, value in target.state_dict().items()}
    with pytest.raises(CheckpointMismatchError, match=f"{counts}(?s:.*)Likely cause: .*{cause}"):
        load_state_dict_strict(target, source.state_dict(), source="a.pth")
    assert all(torch.equal(before[key], value) for key, value in target.state_dict().items())


def test_the_error_names_the_model_of_the_checkpoint():
    config = "model = dict(backbone=dict(type='ViT'), type='vgtoolbox.PLVL')\n"
    with pytest.raises(CheckpointMismatchError, match=r"weights of PLVL, but .* builds Grounder"):
        load_state_dict_strict(Grounder(), nn.Linear(2, 2).state_dict(), config_text=config)


_shapes = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from([(1,), (2,), (2, 1)]))


@given(_shapes, _shapes)
def test_every_key_falls_into_exactly_one_class(found, expected):
    report = compare(zeros(found), zeros(expected))
    wrong = [key for key, *_ in report.mis_shaped]
    classes = [*report.matched, *report.missing, *report.unexpected, *wrong]
    assert sorted(classes) == sorted(found.keys() | expected.keys())
    assert report.complete == (found == expected)


@pytest.mark.parametrize(
    "prefix",
    ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "module.module."],
)
def test_prefixes_of_wrappers_are_dropped_in_any_order(prefix):
    state = {"a.weight": torch.zeros(1), "module_list.0": torch.ones(1)}
    wrapped = {prefix + key: value for key, value in state.items()}
    assert strip_wrapper_prefix(wrapped) == state
    assert strip_wrapper_prefix({}) == {}
