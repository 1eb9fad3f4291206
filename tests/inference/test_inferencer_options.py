"""Test the options of a single call of the inferencer."""

import pytest

from vgtoolbox.evaluation import read_predictions


def test_threshold_of_a_call_does_not_change_the_inferencer(inferencer, images):
    default = inferencer.score_thr
    strict = inferencer(images[0], "two dogs", score_thr=0.999)[0]
    assert strict.no_target
    assert strict.score_thr == 0.999
    assert inferencer.score_thr == default
    assert not inferencer(images[0], "two dogs")[0].no_target
    with pytest.raises(ValueError, match="score_thr must be between 0 and 1"):
        inferencer(images[0], "two dogs", score_thr=2.0)
    assert inferencer.score_thr == default


def test_tasks_and_topk(inferencer, images, tmp_path):
    (whole,) = inferencer(images[0], "two dogs")
    (best,) = inferencer(images[0], "two dogs", topk=1, tasks="box")
    assert best == whole.reduced(topk=1, tasks="box")
    out = tmp_path / "predictions.jsonl"
    list(inferencer.stream(images[0], "two dogs", out_file=out, topk=1))
    assert len(read_predictions(out)[0]["scores"]) == 1
    with pytest.raises(ValueError, match="written with topk = 1, this run has 2"):
        list(inferencer.stream(images[0], "two dogs", out_file=out, topk=2))
