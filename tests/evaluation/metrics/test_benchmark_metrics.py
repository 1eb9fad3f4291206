"""Registered metrics of single benchmarks compared with values computed by hand."""

from __future__ import annotations

import pytest
import torch
from mmengine.structures import InstanceData

from vgtoolbox.evaluation import (
    FalsePremiseMetric,
    GRESMetric,
    MaskSetMetric,
    MultiRoundMetric,
    ReasonSegMetric,
    RECMetric,
    RefZOMMetric,
    RESMetric,
    RobustRESMetric,
)
from vgtoolbox.registry import METRICS
from vgtoolbox.structures import empty_rle, encode_masks, merge_rles, rle_boxes_xyxy

SIZE = (4, 8)


def mask(*columns: int) -> dict:
    """Return a mask of whole columns, 4 pixels each."""
    dense = torch.zeros(1, *SIZE, dtype=torch.bool)
    dense[:, :, list(columns)] = True
    return encode_masks(dense)[0]


def sample(index, *, targets=(), found=(), scores=None, ref=0, image="a.jpg", **more) -> dict:
    """Return a sample as passed by mmengine's evaluator; masks are tuples of columns."""
    target_masks, masks = [mask(*t) for t in targets], [mask(*p) for p in found]
    merged = merge_rles(masks, SIZE)
    return {
        "sample_idx": index,
        "sample_id": f"{ref}_{index}",
        "img_path": image,
        "ori_shape": SIZE,
        "gt_instances_ori": {"boxes_xyxy": rle_boxes_xyxy(target_masks), "masks": target_masks},
        "pred_instances": {
            "boxes_xyxy": rle_boxes_xyxy(masks),
            "scores": torch.tensor(scores if scores is not None else [0.9] * len(masks)).reshape(
                -1
            ),
            "masks": masks,
        },
        "pred_merged_mask": merged,
        "pred_no_target": not masks,
        **more,
    }


def evaluate(samples, metric):
    metric.process(None, samples)
    return metric.evaluate(len(samples))


HALF = {"targets": [(0, 1)], "found": [(0,)]}  # I 4, U 8
FALSE = {"targets": [], "found": [(5, 6)]}


def test_refzom_rejects_by_mask_or_score():
    samples = [sample(0, **HALF), sample(1, **FALSE, scores=[0.6]), sample(2)]
    assert evaluate(samples, RefZOMMetric())["refzom/Acc"] == 50.0
    values = evaluate(samples, RefZOMMetric(accept="score"))
    assert values["refzom/Acc"] == 100.0
    assert values["refzom/mIoU"] == 50.0
    assert evaluate(samples, RefZOMMetric(accept="score", score_thr=0.5))["refzom/Acc"] == 50.0


def test_instance_scores_are_read_only_for_accept_score():
    boxless = sample(0, **FALSE)
    del boxless["pred_instances"]
    assert evaluate([boxless], RefZOMMetric())["refzom/Acc"] == 0.0
    with pytest.raises(ValueError, match="needs instance scores"):
        evaluate([boxless], RefZOMMetric(accept="score"))
    assert evaluate([sample(0)], GRESMetric(accept="score"))["gres/N-acc"] == 100.0


def test_robust_groups_sentences_by_ref_in_any_order():
    """Ref 1: IoU .5 twice and one false mask of 8 pixels; ref 2: a hit and a rejection."""
    samples = [
        sample(0, **HALF, ref=1),
        sample(1, targets=[(3,)], found=[(3,)], ref=2),
        sample(2, **HALF, ref=1),
        sample(3, **FALSE, ref=1),
        sample(4, ref=2),
    ]
    expected = {
        "robust/mIoU": 75.0,
        "robust/oIoU": 100 * 12 / 20,
        "robust/mRR": 50.0,
        "robust/rIoU": (100 * 8 / 24 + 100) / 2,
        "robust/Pr@0.5": 100.0,
        "robust/Pr@0.9": 200 / 3,  # .5, then the sum .5 + .5, and 1
    }
    for order in (samples, samples[::-1]):
        values = evaluate(order, RobustRESMetric(thresholds=(0.5, 0.9)))
        assert values == pytest.approx(expected)
    separate = evaluate(samples, RobustRESMetric(precision="sentence"))
    assert separate["robust/Pr@0.9"] == pytest.approx(100 / 3)


def test_robust_counts_false_areas_on_another_grid():
    """8 of 4 x 8 pixels become 32 of 8 x 16."""
    samples = [sample(0, **HALF, ref=1), sample(1, **FALSE, ref=1)]
    assert evaluate(samples, RobustRESMetric())["robust/rIoU"] == pytest.approx(100 * 4 / 16)
    metric = METRICS.build({"type": "RobustRESMetric", "negative_area_size": [8, 16]})
    assert evaluate(samples, metric)["robust/rIoU"] == pytest.approx(100 * 4 / 40)
    assert metric.settings["negative_area_size"] == [8, 16]


def test_refs_are_grouped_by_ref_id():
    named = [sample(i, **HALF, ref_id=7) for i in range(2)] + [sample(2, ref=5, ref_id=7)]
    metric = RobustRESMetric()
    metric.process(None, named)
    assert {row.group for _, row in metric.results} == {"7"}


def test_reasonseg_excludes_ignored_pixels():
    one = sample(0, targets=[(0, 1)], found=[(0, 7)], ignore_mask_ori=mask(1, 7))
    assert evaluate([one], ReasonSegMetric())["reasonseg/cIoU"] == pytest.approx(100.0)
    background = ReasonSegMetric(ignored_pixels="background")
    assert evaluate([one], background)["reasonseg/cIoU"] == pytest.approx(100 / 3)


def test_reasonseg_maps_ignored_pixels_to_the_input_frame():
    """At twice the width, column 1 becomes 2 and 3, column 7 becomes 14 and 15."""
    wide = torch.zeros(2, 4, 16, dtype=torch.bool)
    wide[0, :, :4] = True
    wide[1, :, [0, 1, 14, 15]] = True
    one = sample(0, ignore_mask_ori=mask(1, 7), pred_frame="input", img_shape=(4, 16))
    one["gt_instances"] = {"boxes_xyxy": torch.zeros(1, 4), "masks": wide[:1]}
    one["pred_merged_mask"] = encode_masks(wide[1:])[0]
    values = evaluate([one], ReasonSegMetric(frame="input"))
    assert values["reasonseg/cIoU"] == pytest.approx(100.0)
    with pytest.raises(ValueError, match="flipped or cropped"):
        evaluate([{**one, "flip": True}], ReasonSegMetric(frame="input"))


def test_reasonseg_reads_one_query_per_image():
    samples = [sample(0, **HALF), sample(1, targets=[(0,)], found=[(0,)])]
    samples.append(sample(2, targets=[(0,)], found=[(0,)], image="b.jpg"))
    first = evaluate(samples, ReasonSegMetric())["reasonseg/gIoU"]
    everything = evaluate(samples, ReasonSegMetric(queries="all"))["reasonseg/gIoU"]
    assert (first, everything) == pytest.approx((75.0, 250 / 3), rel=1e-3)


def test_false_premise_by_hand():
    samples = [sample(0, **HALF), sample(1), sample(2, **FALSE), sample(3, targets=[(0,)])]
    values = evaluate(samples, FalsePremiseMetric())
    assert values["false_premise/See"] == 50.0
    assert values["false_premise/cIoU"] == pytest.approx(100 * 4 / (8 + 8 + 4))


def test_rounds_are_counted_from_one():
    samples = [
        sample(0, **HALF, round=0),
        sample(1, targets=[(3,)], found=[(7,), (3,)], scores=[0.2, 0.9], round=1),
        sample(2, targets=[(3,)], round=1),
    ]
    values = evaluate(samples, MultiRoundMetric())
    assert values["multi_round/round1/oIoU"] == pytest.approx(50.0, rel=1e-4)
    assert values["multi_round/round1/P@0.5"] == 0.0  # exactly 0.5
    assert values["multi_round/round2/P@0.5"] == pytest.approx(50.0)
    assert values["multi_round/round2/oIoU"] == pytest.approx(100 * 4 / 12, rel=1e-4)
    with pytest.raises(KeyError, match="has no 'round'"):
        evaluate([sample(0, **HALF)], MultiRoundMetric())


def test_mask_set_by_hand():
    samples = [
        sample(0, targets=[(0, 1), (4,)], found=[(4,), (0,)]),
        sample(1, targets=[(6,)], found=[(6,), (2,)], scores=[0.9, 0.3], image="b.jpg"),
    ]
    values = evaluate(samples, MaskSetMetric())
    assert values["muse/gIoU"] == pytest.approx(100 * (1 + 0.5 + 1) / 4, rel=1e-3)
    assert values["muse/cIoU"] == pytest.approx(100 * 12 / 20)
    confident = evaluate(samples, MaskSetMetric(score_thr=0.5))
    assert confident["muse/gIoU"] == pytest.approx(100 * 2.5 / 3, rel=1e-3)
    del samples[0]["pred_instances"]["masks"]
    with pytest.raises(ValueError, match="2 predicted instances and 0 masks"):
        evaluate(samples, MaskSetMetric())


def test_rec_of_the_extent_of_the_mask():
    one = sample(0, targets=[(0, 1)], found=[(0, 1)])
    one["pred_instances"]["boxes_xyxy"] = torch.tensor([[6.0, 0.0, 8.0, 4.0]])
    assert evaluate([one], RECMetric())["rec/Acc@0.5"] == 0.0
    metric = RECMetric(source="mask", mask_box="pixel_index", inclusive=False)
    # 1 x 3 of 2 x 4 pixels: IoU 0.375, so the missing pixel makes a thin object a miss.
    assert evaluate([one], metric)["rec/Acc@0.5"] == 0.0
    assert evaluate([one], RECMetric(source="mask"))["rec/Acc@0.9"] == 100.0
    assert metric.settings["mask_box"] == "pixel_index"


def test_mllmseg_averages_over_images():
    samples = [sample(0, **HALF), sample(1, **HALF)]
    samples.append(sample(2, targets=[(0,)], found=[(0,)], image="b.jpg"))
    values = evaluate(samples, RESMetric(protocol="mllmseg"))
    assert values["res/gIoU"] == pytest.approx(75.0, rel=1e-3)
    assert RESMetric(protocol="mllmseg").settings["empty_union"] == "one"
    assert RESMetric().settings["empty_union"] == "zero"


@pytest.mark.parametrize(
    ("metric", "options"),
    [
        (RefZOMMetric, {"accept": "logit"}),
        (RobustRESMetric, {"precision": "sum"}),
        (ReasonSegMetric, {"queries": "last"}),
        (ReasonSegMetric, {"ignored_pixels": "drop"}),
        (FalsePremiseMetric, {"accept": "text"}),
        (MaskSetMetric, {"unit": "split"}),
        (MaskSetMetric, {"empty_union": "nan"}),
        (MultiRoundMetric, {"frame": "padded"}),
        (RECMetric, {"source": "points"}),
        (RECMetric, {"mask_box": "voc"}),
        (GRESMetric, {"accept": "head"}),
    ],
)
def test_unknown_options_are_rejected_at_construction(metric, options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} must be"):
        metric(**options)


def test_no_sample_gives_zeros():
    for metric in (RefZOMMetric, RobustRESMetric, ReasonSegMetric, FalsePremiseMetric):
        assert set(evaluate([], metric()).values()) == {0.0}
    assert evaluate([], MultiRoundMetric()) == {}


def test_metrics_read_data_samples(make_sample):
    """In a run the evaluator passes the dict of a data sample, which contains `InstanceData`."""
    samples = [make_sample(i) for i in range(6)]
    assert isinstance(samples[1].gt_instances_ori, InstanceData)
    assert evaluate(samples, MaskSetMetric())["muse/cIoU"] > 0
    assert evaluate(samples, FalsePremiseMetric())["false_premise/See"] > 0
    assert samples[0].pred_merged_mask["size"] == empty_rle(samples[0].ori_shape)["size"]
