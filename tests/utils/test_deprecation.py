import warnings

import pytest

from vgtoolbox.registry import (
    DATA_SAMPLERS,
    DATASETS,
    FUNCTIONS,
    HOOKS,
    MODELS,
    TRANSFORMS,
    UnknownTypeError,
)
from vgtoolbox.utils import deprecation
from vgtoolbox.utils.deprecation import (
    RENAMED_TYPES,
    RENAMED_VALUES,
    current_type,
    show_deprecation_warnings,
    update_config,
)


@pytest.mark.parametrize("old", RENAMED_TYPES)
def test_deprecated_types_resolve_with_a_warning_that_names_the_new_one(old):
    registries = (DATASETS, DATA_SAMPLERS, FUNCTIONS, HOOKS, TRANSFORMS)
    new = RENAMED_TYPES[old]
    registry = next(each for each in registries if new in each.known_types())
    with pytest.warns(DeprecationWarning, match=new):
        found = registry.get(old)
    assert found is registry.get(new)


def test_scopes_are_kept():
    with pytest.warns(DeprecationWarning):
        assert current_type("vgtoolbox.conversation_collate") == "vgtoolbox.grounding_collate"
    assert current_type("mmdet.PhraseListDataset") == "mmdet.PhraseListDataset"


def test_a_command_can_show_the_warnings():
    with warnings.catch_warnings(record=True) as caught:
        warnings.resetwarnings()
        warnings.simplefilter("ignore")
        current_type("DrawExpressions")
        assert not caught
        show_deprecation_warnings()
        current_type("DrawExpressions")
        update_config([[{"type": "PhraseListDataset"}]])
    assert len(caught) == 2


def test_unknown_types_raise():
    with pytest.raises(UnknownTypeError, match="NoSuchHook"):
        HOOKS.get("NoSuchHook")


def test_configs_are_updated_at_any_depth(monkeypatch):
    monkeypatch.setattr(deprecation, "RENAMED_ARGUMENTS", {"SampleExpressions": {"most": "num"}})
    monkeypatch.setattr(
        deprecation, "RENAMED_VALUES", {("SampleExpressions", "order"): {"drawn": "random"}}
    )
    cfg = {"a": [{"b": {"type": "DrawExpressions", "most": 3, "order": "drawn"}}]}
    with pytest.warns(DeprecationWarning) as caught:
        update_config(cfg)
    assert cfg == {"a": [{"b": {"type": "SampleExpressions", "num": 3, "order": "random"}}]}
    assert len(caught) == 3


@pytest.mark.parametrize(
    ("name", "argument", "old", "new"),
    [
        (name, argument, old, new)
        for (name, argument), values in RENAMED_VALUES.items()
        for old, new in values.items()
    ],
)
def test_deprecated_values_become_present_ones(name, argument, old, new):
    cfg = {"type": name, argument: old}
    with pytest.warns(DeprecationWarning, match=f"{argument}='{old}' of {name} is now '{new}'"):
        update_config(cfg)
    assert cfg == {"type": name, argument: new}


def test_the_deprecated_protocol_of_mllmseg_is_its_answer_mode():
    cfg = {"type": "MLLMSeg", "protocol": "generate"}
    with pytest.warns(DeprecationWarning):
        update_config(cfg)
    assert cfg == {"type": "MLLMSeg", "answer_mode": "generate"}


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize(
    ("form", "packing"),
    [
        ({"training_form": "branches"}, "separate"),
        ({"training_form": "chain"}, "joint"),
        ({}, "joint"),
    ],
)
def test_conversations_of_mllmseg_move_to_the_pipeline(named, form, packing):
    prompts = {"questions": ["<image>{expressions}"], "answers": [["", "{token}"]]}
    steps = [{"type": "LoadImage"}, {"type": "PackConversationInputs"}]
    cfg = {
        "model": {"type": "MLLMSeg", "prompts": prompts, **form},
        "train": {"pipeline": dict(zip("ab", steps, strict=True)) if named else steps},
    }
    with pytest.warns(DeprecationWarning):
        update_config(cfg)
    assert cfg["model"] == {"type": "MLLMSeg", "prompts": prompts}
    pipeline = cfg["train"]["pipeline"]
    assert list(pipeline.values() if named else pipeline) == [
        {"type": "LoadImage"},
        {"type": "WriteReferringConversations", "prompts": prompts, "packing": packing},
        {"type": "PackGroundingInputs"},
    ]


@pytest.mark.parametrize("loss", ["FocalDiceLoss", "TokenMaskLoss"])
def test_deprecated_values_build_the_same_loss_with_a_warning(loss):
    cfg = {"type": loss, "form": "clean"}
    with pytest.warns(DeprecationWarning, match="form='clean' of .* is now 'corrected'"):
        update_config(cfg)
    assert MODELS.build(cfg).form == "corrected"


@pytest.mark.parametrize(
    ("name", "argument", "old", "new"),
    [(*key, old, new) for key, values in RENAMED_VALUES.items() for old, new in values.items()],
)
def test_deprecated_values_are_replaced(name, argument, old, new):
    section = {"type": name, argument: old}
    with pytest.warns(DeprecationWarning, match=f"{argument}='{old}' of {name} is now '{new}'"):
        update_config(section)
    assert section == {"type": name, argument: new}
