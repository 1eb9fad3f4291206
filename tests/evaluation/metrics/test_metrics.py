"""Registered metrics: the fields and frame they read, and that each sample counts once."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmengine.structures import InstanceData

from vgtoolbox.evaluation import GRECMetric, GRESMetric, RECMetric, RESMetric
from vgtoolbox.evaluation.functional import compare_masks, gres_metrics
from vgtoolbox.registry import METRICS
from vgtoolbox.structures import merge_rles

ALL = (RECMetric, RESMetric, GRECMetric, GRESMetric)


def evaluate(samples, *metrics, size=None):
    evaluator = Evaluator(list(metrics))
    for sample in samples:
        evaluator.process([sample])
    return evaluator.evaluate(len(samples) if size is None else size)


def test_names_of_the_values(make_sample):
    values = evaluate([make_sample(i) for i in range(6)], *(metric() for metric in ALL))
    precisions = [f"res/Pr@0.{d}" for d in range(5, 10)] + [f"gres/Pr@0.{d}" for d in (7, 8, 9)]
    assert list(values) == [
        *(f"rec/Acc@0.{d}" for d in range(5, 10)),
        *("res/mIoU", "res/oIoU"),
        *precisions[:5],
        *("grec/Pr@(F1=1)", "grec/N-acc", "grec/T-acc"),
        *("gres/gIoU", "gres/cIoU", "gres/N-acc", "gres/T-acc"),
        *precisions[5:],
    ]


def test_metrics_are_built_from_configs():
    metric = METRICS.build(
        {"type": "GRESMetric", "protocol": "gsva", "frame": "input", "prefix": "x"}
    )
    assert metric.settings == {
        "frame": "input",
        "protocol": "gsva",
        "accept": "decision",
        "score_thr": 0.7,
        "thresholds": [0.7, 0.8, 0.9],
        "count_false_area": True,
    }
    assert metric.prefix == "x"
    assert (metric.collect_device, metric.results) == ("cpu", [])  # mmengine's constructor
    assert GRECMetric().settings == {
        "frame": "original",
        "match": "giou",
        "score_thr": 0.7,
        "iou_thr": 0.5,
    }


@pytest.mark.parametrize(
    ("metric", "options"),
    [
        (RESMetric, {"protocol": "rela"}),
        (GRESMetric, {"protocol": "lisa"}),
        (GRECMetric, {"match": "l1"}),
        (RECMetric, {"frame": "padded"}),
    ],
)
def test_unknown_options_are_rejected_at_construction(metric, options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} must be"):
        metric(**options)


def test_a_perfect_prediction_scores_100_in_all_metrics(make_sample):
    samples = [make_sample(i, perfect=True) for i in range(7)]
    values = evaluate(samples, RESMetric(), GRECMetric(), GRESMetric())
    assert set(values.values()) == {100.0}
    # REC compares with one target; with two, tied scores may rank the box of the other first.
    single = [sample for sample in samples if len(sample.gt_instances_ori) == 1]
    assert set(evaluate(single, RECMetric()).values()) == {100.0}


def test_a_perfect_prediction_scores_100_in_the_input_frame(make_input_frame_sample):
    samples = [make_input_frame_sample(i) for i in range(6)]
    metrics = (RESMetric(frame="input"), GRECMetric(frame="input"), GRESMetric(frame="input"))
    assert set(evaluate(samples, *metrics).values()) == {100.0}


@pytest.mark.parametrize("metric", ALL)
def test_frames_are_never_mixed(metric, make_sample, make_input_frame_sample):
    with pytest.raises(ValueError, match="compares in the original frame"):
        evaluate([make_input_frame_sample(1)], metric())
    with pytest.raises(ValueError, match="compares in the input frame"):
        evaluate([make_sample(1)], metric(frame="input"))


def test_a_metric_equals_the_function_of_its_rows(make_sample):
    samples = [make_sample(i) for i in range(9)]
    rows = [
        compare_masks(
            s.pred_merged_mask,
            merge_rles(s.gt_instances_ori.masks, s.ori_shape),
            no_target=s.no_target,
            pred_no_target=s.pred_no_target,
        )
        for s in samples
    ]
    for protocol in ("rela", "gsva"):
        expected = gres_metrics(rows, protocol=protocol)
        assert evaluate(samples, GRESMetric(protocol=protocol)) == {
            f"gres/{name}": value for name, value in expected.items()
        }


def test_gres_requires_a_no_target_decision(make_sample):
    sample = make_sample(1).to_dict()
    del sample["pred_no_target"]
    assert evaluate([sample], RESMetric())["res/mIoU"] >= 0
    with pytest.raises(KeyError, match=r"'1_0' has no 'pred_no_target'"):
        evaluate([sample], GRESMetric())


def test_targets_without_masks_are_rejected(make_sample):
    sample = make_sample(2)
    sample.gt_instances_ori = InstanceData(boxes_xyxy=sample.gt_instances_ori.boxes_xyxy)
    with pytest.raises(ValueError, match="2 targets but 0 target masks"):
        evaluate([sample], RESMetric())


def test_no_sample_gives_zeros():
    assert set(evaluate([], *(metric() for metric in ALL)).values()) == {0.0}


def test_rows_are_cleared_after_an_evaluation(make_sample):
    metric = GRESMetric()
    first = evaluate([make_sample(0), make_sample(1)], metric)
    assert evaluate([make_sample(0), make_sample(1)], metric) == first
    assert metric.results == []


def test_missing_samples_give_a_warning(make_sample, caplog):
    logger = MMLogger.get_current_instance()  # does not propagate to the root logger
    logger.addHandler(caplog.handler)
    try:
        evaluate([make_sample(0)], RECMetric(), size=5)
    finally:
        logger.removeHandler(caplog.handler)
    assert "RECMetric saw 1 of the dataset's 5 samples" in caplog.text


@settings(max_examples=15)
@given(st.permutations(range(7)), st.lists(st.integers(0, 6), max_size=4))
def test_values_depend_on_neither_order_nor_repetition(make_sample, order, repeated):
    samples = [make_sample(i) for i in range(7)]
    again = [samples[i] for i in [*order, *repeated]]
    expected = evaluate(samples, *(metric() for metric in ALL))
    assert evaluate(again, *(metric() for metric in ALL), size=7) == expected
