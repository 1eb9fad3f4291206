import numpy as np
import pytest
import torch

from vgtoolbox.inference import GroundingInferencer, attention_maps

EXPRESSIONS = ["the red circle", "two dogs", "a large blue square on the left"]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_close_to_float32(inferencer, released_checkpoint, images, dtype):
    half = GroundingInferencer(
        None, released_checkpoint, device="cpu", dtype=dtype, score_thr=inferencer.score_thr
    )
    stored = {p.dtype for p in half.model.parameters()}
    assert stored == {torch.float32, getattr(torch, dtype)}
    for a, b in zip(half(images, EXPRESSIONS), inferencer(images, EXPRESSIONS), strict=True):
        assert a.existence != b.existence
        assert a.existence == pytest.approx(b.existence, abs=0.02)
    pairs = [(images[0], "two dogs")]
    assert np.isfinite(attention_maps(half, half.preprocess(pairs))[0]).all()


def test_unknown_precision_and_float32(released_checkpoint):
    with pytest.raises(ValueError, match="dtype must be 'auto', 'float32', "):
        GroundingInferencer(None, released_checkpoint, device="cpu", dtype="int8")
    wide = GroundingInferencer(None, released_checkpoint, device="cpu", dtype="float32")
    assert {p.dtype for p in wide.model.parameters()} == {torch.float32}
