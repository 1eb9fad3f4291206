import logging

import pytest
import torch
from mmengine.logging import MMLogger
from torch import nn

from vgtoolbox.engine.param_groups import MergedGroupsConstructor, merge_groups
from vgtoolbox.utils.openmmlab import import_openmmlab


@pytest.fixture
def model():
    return nn.ModuleDict(
        {
            "backbone": nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)),
            "head": nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2), nn.Linear(2, 1)),
        }
    )


def optimizer_of(model, **paramwise):
    settings = {"optimizer": {"type": "AdamW", "lr": 1.0, "weight_decay": 0.1}}
    return MergedGroupsConstructor(settings, paramwise)(model).optimizer


def settings_by_parameter(model, groups):
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {
        names[id(parameter)]: (group["lr"], group["weight_decay"])
        for group in groups
        for parameter in group["params"]
    }


def test_parameters_of_equal_settings_share_a_group(model):
    optimizer = optimizer_of(
        model, norm_decay_mult=0.0, bias_decay_mult=0.0, custom_keys={"backbone": {"lr_mult": 0.5}}
    )
    # A custom key overrides the other rules, as upstream documents.
    assert len(optimizer.param_groups) == 3
    found = settings_by_parameter(model, optimizer.param_groups)
    assert len(found) == len(list(model.parameters()))
    for name, (rate, decay) in found.items():
        if name.startswith("backbone"):
            assert (rate, decay) == (0.5, 0.1)
        else:
            is_matrix = name in {"head.0.weight", "head.2.weight"}
            assert (rate, decay) == (1.0, 0.1 if is_matrix else 0.0)


def test_groups_are_built_with_an_mmcv_without_operators(model):
    pytest.importorskip("mmcv")
    import_openmmlab("mmcv")
    assert len(optimizer_of(model, bias_decay_mult=0.0).param_groups) == 2


def test_frozen_parameters_are_excluded(model):
    model["backbone"].requires_grad_(False)
    optimizer = optimizer_of(model, bias_decay_mult=0.0)
    found = settings_by_parameter(model, optimizer.param_groups)
    assert not any(name.startswith("backbone") for name in found)


def test_one_line_per_group_is_logged(model, caplog):
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    with caplog.at_level(logging.INFO, logger=logger.name):
        groups = optimizer_of(model, bias_decay_mult=0.0).param_groups
    logger.removeHandler(caplog.handler)
    assert len(caplog.messages) == len(groups) == 2
    assert not logger.filters or all("paramwise" not in str(kept) for kept in logger.filters)


def test_groups_keep_the_order_of_their_first_parameter():
    a, b, c = (torch.zeros(1) for _ in range(3))
    merged = merge_groups([{"params": [a], "lr": 1}, {"params": [b]}, {"lr": 1, "params": [c]}])
    assert [(group.get("lr"), len(group["params"])) for group in merged] == [(1, 2), (None, 1)]
    assert merged[0]["params"][1] is c
