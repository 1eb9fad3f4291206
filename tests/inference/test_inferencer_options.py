"""What a call and a construction of the inferencer may ask for besides."""

import numpy as np
import pytest
import torch

from vgtoolbox.evaluation import read_predictions
from vgtoolbox.inference import GroundingInferencer, attention_maps

EXPRESSIONS = ["the red circle", "two dogs", "a large blue square on the left"]


def test_a_call_may_have_its_own_threshold(inferencer, images):
    usual = inferencer.score_thr
    strict = inferencer(images[0], "two dogs", score_thr=0.999)[0]
    assert strict.no_target
    assert strict.score_thr == 0.999
    assert inferencer.score_thr == usual
    assert not inferencer(images[0], "two dogs")[0].no_target
    with pytest.raises(ValueError, match=r"0\.\.1"):
        inferencer(images[0], "two dogs", score_thr=2.0)
    assert inferencer.score_thr == usual


def test_tasks_and_topk(inferencer, images, tmp_path):
    (whole,) = inferencer(images[0], "two dogs")
    (best,) = inferencer(images[0], "two dogs", topk=1, tasks="box")
    assert best == whole.reduced(topk=1, tasks="box")
    out = tmp_path / "predictions.jsonl"
    list(inferencer.stream(images[0], "two dogs", out_file=out, topk=1))
    assert len(read_predictions(out)[0]["scores"]) == 1
    with pytest.raises(ValueError, match="begun with topk = 1, this run has 2"):
        list(inferencer.stream(images[0], "two dogs", out_file=out, topk=2))


def test_a_folder_of_answers(inferencer, images, tmp_path):
    results = inferencer(images, EXPRESSIONS, out_dir=tmp_path / "out")
    assert {path.stem for path in (tmp_path / "out").glob("*.png")} == {r.id for r in results}
    (record,) = read_predictions(tmp_path / "out" / f"{results[0].id}.json")
    assert record == results[0].to_dict()


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_stays_near(inferencer, released_checkpoint, images, dtype):
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


def test_precisions_are_named(released_checkpoint):
    with pytest.raises(ValueError, match="dtype must be one of auto, float32"):
        GroundingInferencer(None, released_checkpoint, device="cpu", dtype="int8")
    wide = GroundingInferencer(None, released_checkpoint, device="cpu", dtype="float32")
    assert {p.dtype for p in wide.model.parameters()} == {torch.float32}
