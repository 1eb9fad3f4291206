from functools import partial

import numpy as np
import pytest
from PIL import Image

from vgtoolbox.inference import GroundingInferencer
from vgtoolbox.webui import RequestLimits, Responder


@pytest.fixture(scope="module")
def responder(released_checkpoint):
    make = partial(GroundingInferencer, None, released_checkpoint, device="cpu")
    responder = Responder({"miniature": make}, RequestLimits(pixels=10_000, file_bytes=100_000))
    yield responder
    responder.close()


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path
