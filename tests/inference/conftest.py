"""Provide an inferencer of the miniature model and three images of different sizes."""

import numpy as np
import pytest

from vgtoolbox.inference import GroundingInferencer

LOW_THR = 0.01  # random weights give low scores


@pytest.fixture(scope="module")
def inferencer(released_checkpoint):
    return GroundingInferencer(None, released_checkpoint, device="cpu", score_thr=LOW_THR)


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    sizes = [(48, 64), (100, 30), (32, 32)]
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
