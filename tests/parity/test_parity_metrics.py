"""Parity of the metrics with values of the published evaluators."""

from __future__ import annotations

import json

import pytest
import torch

from vgtoolbox.evaluation.functional import (
    BoxRow,
    MaskRow,
    RoundRow,
    compare_masks,
    grec_metrics,
    gres_metrics,
    multi_round_metrics,
    rec_metrics,
    refzom_metrics,
    res_metrics,
    robust_metrics,
)
from vgtoolbox.registry import METRICS
from vgtoolbox.structures import empty_rle, encode_masks

# LISA's meters sum in float32, so their values are only exact to one unit in the last place.
FLOAT32_ULP = 2.0**-23
TESTED_KEYS = {
    "gres.rela",
    "gres.gsva",
    "refzom.dmmi",
    "res.lisa",
    "res.mmdet",
    "grec.grefcoco",
    "rec.acc50",
    "rec.acc70",
    "reasonseg.lisa_ignore_top_left_5x7_of_first_20",
    "rrefcoco.robust",
    "multi_round.segllm",
}


@pytest.fixture(scope="module")
def cases(parity_folder):
    return json.loads((parity_folder / "metrics_cases.json").read_text())


@pytest.fixture(scope="module")
def mask_rows(cases):
    return [
        compare_masks(
            sample["pred_mask"],
            sample["gt_mask"],
            no_target=sample["gt_no_target"],
            pred_no_target=sample["pred_no_target"],
        )
        for sample in cases["samples"]
    ]


@pytest.fixture(scope="module")
def box_rows(cases):
    def tensor(boxes):
        return torch.tensor(boxes).reshape(-1, 4)

    return [
        BoxRow(
            boxes_xyxy=tensor(sample["pred_boxes_xyxy"]),
            scores=torch.tensor(sample["pred_scores"]),
            target_boxes_xyxy=tensor(sample["gt_boxes_xyxy"]),
        )
        for sample in cases["samples"]
    ]


def assert_equal(ours, published, *, scale=1.0, rel=1e-9):
    """Compare values; `scale` converts the published unit to percent, `published` has our names."""
    expected = {name: scale * value for name, value in published.items()}
    assert {name: ours[name] for name in expected} == pytest.approx(expected, rel=rel, abs=1e-12)


def renamed(published, **names):
    return {names[name]: value for name, value in published.items()}


def test_every_recorded_key_is_tested(cases):
    assert set(cases["expected"]) == TESTED_KEYS


def test_gres_rela(cases, mask_rows):
    published = dict(cases["expected"]["gres.rela"])
    ratios = {"N-acc": published.pop("N_acc"), "T-acc": published.pop("T_acc")}
    ours = gres_metrics(mask_rows, protocol="rela")
    assert_equal(ours, published)
    assert_equal(ours, ratios, scale=100)
    assert set(ours) == set(published) | set(ratios)


def test_gres_gsva(cases, mask_rows):
    published = renamed(
        cases["expected"]["gres.gsva"], gIoU="gIoU", cIoU="cIoU", N_acc="N-acc", T_acc="T-acc"
    )
    ours = gres_metrics(mask_rows, protocol="gsva")
    assert_equal(ours, published, scale=100)
    assert set(ours) == set(published)


def test_refzom_dmmi(cases, mask_rows):
    published = dict(cases["expected"]["refzom.dmmi"])
    thresholds = (0.5, 0.6, 0.7, 0.8, 0.9)
    published |= {f"Pr@{x}": v for x, v in zip(thresholds, published.pop("Pr"), strict=True)}
    ours = refzom_metrics(mask_rows)
    assert_equal(ours, published)
    assert set(ours) == set(published)


def test_res_mmdet(cases, mask_rows):
    published = renamed(cases["expected"]["res.mmdet"], cIoU="oIoU", mIoU="mIoU")
    assert_equal(res_metrics(mask_rows), published)


def test_res_lisa(cases, mask_rows):
    ours = res_metrics(mask_rows, protocol="lisa")
    assert_equal(ours, cases["expected"]["res.lisa"], scale=100, rel=FLOAT32_ULP)


def test_reasonseg_ignored_pixels(cases):
    rows = []
    for sample in cases["samples"][:20]:
        ignore = torch.zeros(1, *sample["size"], dtype=torch.bool)
        ignore[:, :5, :7] = True
        (ignored,) = encode_masks(ignore)
        rows.append(compare_masks(sample["pred_mask"], sample["gt_mask"], ignore=ignored))
    ours = res_metrics(rows, protocol="lisa")
    published = cases["expected"]["reasonseg.lisa_ignore_top_left_5x7_of_first_20"]
    assert_equal(ours, published, scale=100, rel=FLOAT32_ULP)


def test_grec_grefcoco(cases, box_rows):
    published = renamed(
        cases["expected"]["grec.grefcoco"], F1_score="Pr@(F1=1)", N_acc="N-acc", T_acc="T-acc"
    )
    ours = grec_metrics(box_rows)
    assert_equal(ours, published, scale=100)
    assert grec_metrics(box_rows, match="iou")["Pr@(F1=1)"] > ours["Pr@(F1=1)"]


def test_rec(cases, box_rows):
    ours = rec_metrics(box_rows)
    assert ours["Acc@0.5"] == pytest.approx(100 * cases["expected"]["rec.acc50"], rel=1e-9)
    assert ours["Acc@0.7"] == pytest.approx(100 * cases["expected"]["rec.acc70"], rel=1e-9)


def published_robust(cases):
    """Return the published values of R-RefCOCO under our names."""
    published = dict(cases["expected"]["rrefcoco.robust"])
    thresholds = (0.5, 0.6, 0.7, 0.8, 0.9)
    published |= {
        f"Pr@{x}": v for x, v in zip(thresholds, published.pop("P_official"), strict=True)
    }
    published["mRR"] = published.pop("r")
    return published


def test_rrefcoco_robust(cases):
    def rows(ref) -> list[MaskRow]:
        nothing = empty_rle(tuple(ref["gt_mask"]["size"]))
        positives = [compare_masks(mask, ref["gt_mask"]) for mask in ref["positive_pred_masks"]]
        return positives + [
            compare_masks(mask, nothing, no_target=True) for mask in ref["negative_pred_masks"]
        ]

    published = published_robust(cases)
    ours = robust_metrics([rows(ref) for ref in cases["rrefcoco_refs"]])
    assert_equal(ours, published)
    assert set(ours) == set(published)


def test_multi_round_segllm(cases):
    rows = []
    for conversation in cases["conversations"]:
        for index, answer in enumerate(conversation):
            counts = compare_masks(answer["pred_mask"], answer["gt_mask"])
            rows.append(RoundRow(**vars(counts), round=index, box_iou=answer["box_iou"]))
    ours = multi_round_metrics(rows)
    assert {str(index) for index in ours} == set(cases["expected"]["multi_round.segllm"])
    for index, published in cases["expected"]["multi_round.segllm"].items():
        published = dict(published)
        assert published.pop("n") == sum(row.round == int(index) for row in rows)
        named = renamed(published, oIoU="oIoU", mIoU="mIoU", P50="P@0.5")
        assert_equal(ours[int(index)], named, scale=100)


def values_of_class(metric, samples):
    """Return the values of a metric for samples, by their names without prefix."""
    metric.process(None, samples)
    values = metric.evaluate(len(samples))
    return {name.partition("/")[2]: value for name, value in values.items()}


@pytest.fixture(scope="module")
def data_samples(cases):
    """Return the cases as samples of mmengine's evaluator, each with at most one target."""

    def tensor(boxes):
        return torch.tensor(boxes).reshape(-1, 4)

    return [
        {
            "sample_idx": index,
            "sample_id": f"{index}_0",
            "img_path": f"{index}.jpg",
            "ori_shape": tuple(case["size"]),
            "gt_instances_ori": {
                "boxes_xyxy": torch.zeros(int(not case["gt_no_target"]), 4),
                "masks": [] if case["gt_no_target"] else [case["gt_mask"]],
            },
            "pred_instances": {
                "boxes_xyxy": tensor(case["pred_boxes_xyxy"]),
                "scores": torch.tensor(case["pred_scores"]),
            },
            "pred_merged_mask": case["pred_mask"],
            "pred_no_target": case["pred_no_target"],
        }
        for index, case in enumerate(cases["samples"])
    ]


def test_classes_of_mask_metrics_agree_with_their_functions(data_samples, mask_rows):
    for options, expected in (
        ({"type": "GRESMetric"}, gres_metrics(mask_rows)),
        ({"type": "GRESMetric", "protocol": "gsva"}, gres_metrics(mask_rows, protocol="gsva")),
        ({"type": "RefZOMMetric"}, refzom_metrics(mask_rows)),
        ({"type": "RESMetric"}, res_metrics(mask_rows)),
        ({"type": "RESMetric", "protocol": "lisa"}, res_metrics(mask_rows, protocol="lisa")),
    ):
        assert values_of_class(METRICS.build(options), data_samples) == expected


def test_classes_of_box_metrics_agree_with_their_functions(data_samples, box_rows):
    samples = [
        {**sample, "gt_instances_ori": {"boxes_xyxy": row.target_boxes_xyxy}}
        for sample, row in zip(data_samples, box_rows, strict=True)
    ]
    assert values_of_class(METRICS.build({"type": "GRECMetric"}), samples) == grec_metrics(box_rows)
    assert values_of_class(METRICS.build({"type": "RECMetric"}), samples) == rec_metrics(box_rows)


def test_reasonseg_class(cases, data_samples):
    samples = []
    for case, sample in list(zip(cases["samples"], data_samples, strict=True))[:20]:
        ignore = torch.zeros(1, *case["size"], dtype=torch.bool)
        ignore[:, :5, :7] = True
        samples.append({**sample, "ignore_mask_ori": encode_masks(ignore)[0]})
    published = cases["expected"]["reasonseg.lisa_ignore_top_left_5x7_of_first_20"]
    ours = values_of_class(METRICS.build({"type": "ReasonSegMetric"}), samples)
    assert_equal(ours, published, scale=100, rel=FLOAT32_ULP)


def test_robust_class(cases):
    samples = []
    for number, ref in enumerate(cases["rrefcoco_refs"]):
        answers = [(mask, [ref["gt_mask"]]) for mask in ref["positive_pred_masks"]]
        answers += [(mask, []) for mask in ref["negative_pred_masks"]]
        for sentence, (mask, targets) in enumerate(answers):
            samples.append(
                {
                    "sample_idx": len(samples),
                    "sample_id": f"{number}_{sentence}",
                    "ori_shape": tuple(mask["size"]),
                    "gt_instances_ori": {
                        "boxes_xyxy": torch.zeros(len(targets), 4),
                        "masks": targets,
                    },
                    "pred_merged_mask": mask,
                }
            )
    published = published_robust(cases)
    assert_equal(
        values_of_class(METRICS.build({"type": "RobustRESMetric"}), samples[::-1]), published
    )
