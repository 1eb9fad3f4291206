"""The tiny InstanceVG with random weights, and those weights as the published code names them."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from vgtoolbox.checkpoint.layouts import instancevg
from vgtoolbox.registry import MODELS

TINY = Path(__file__).resolve().parents[3] / "configs" / "shapes" / "InstanceVG-tiny-shapes.py"


@pytest.fixture(scope="session")
def model():
    config = Config.fromfile(TINY)
    config.merge_from_dict({"model": {"backbone": {"depth": 4}, "decoder": {"num_layers": 3}}})
    model = MODELS.build(config.model)
    generator = torch.Generator().manual_seed(0)
    for tensor in model.state_dict().values():  # batch norm's statistics too
        if tensor.is_floating_point():
            tensor.copy_(torch.randn(tensor.shape, generator=generator))
    return model


@pytest.fixture(scope="session")
def ours(model):
    return {key: value.clone() for key, value in model.state_dict().items()}


@pytest.fixture
def published(ours):
    return instancevg.LAYOUT.to_published(ours)
