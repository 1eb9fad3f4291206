"""Metrics of masks compared with values computed by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vgtoolbox.evaluation.functional import (
    MaskRow,
    MaskSetRow,
    RoundRow,
    accepts,
    compare_masks,
    false_premise_metrics,
    gres_metrics,
    mask_set_metrics,
    multi_round_metrics,
    pair_masks,
    reasonseg_metrics,
    refzom_metrics,
    res_metrics,
    robust_metrics,
)
from vgtoolbox.structures import empty_rle, encode_masks


def rle(*rows: str):
    """Encode a mask drawn with `#` for foreground pixels."""
    return encode_masks(torch.tensor([[[c == "#" for c in row] for row in rows]]))[0]


def overlap(intersection, pred, target, **flags) -> MaskRow:
    return MaskRow(intersection=intersection, pred_area=pred, target_area=target, **flags)


def nothing(pred, **flags) -> MaskRow:
    return overlap(0, pred, 0, no_target=True, **flags)


HIT = overlap(8, 8, 10)  # IoU .8
HALF = overlap(10, 20, 10)  # IoU .5
REJECTED = overlap(30, 30, 30, pred_no_target=True)


@st.composite
def mask_rows(draw) -> MaskRow:
    no_target = draw(st.booleans())
    pred, target = draw(st.integers(0, 90)), 0 if no_target else draw(st.integers(1, 90))
    return overlap(
        draw(st.integers(0, min(pred, target))),
        pred,
        target,
        no_target=no_target,
        pred_no_target=draw(st.booleans()),
    )


# --- rows -----------------------------------------------------------------------------------------


def test_compare_masks_counts_pixels():
    row = compare_masks(rle("##..", "##.."), rle(".###", ".###"))
    assert (row.intersection, row.pred_area, row.target_area, row.union) == (2, 4, 6, 8)
    assert row.iou == 0.25


def test_compare_masks_excludes_ignored_pixels():
    ignore = rle(".#.#", "....")
    row = compare_masks(rle("##..", "##.."), rle(".###", ".###"), ignore=ignore)
    assert (row.intersection, row.pred_area, row.target_area) == (1, 3, 4)


def test_two_empty_masks_have_iou_zero():
    row = compare_masks(empty_rle((3, 4)), empty_rle((3, 4)))
    assert (row.union, row.iou) == (0, 0.0)


def test_masks_of_different_sizes_are_rejected():
    with pytest.raises(ValueError, match="2 x 4"):
        compare_masks(rle("##..", "##.."), empty_rle((4, 4)))


def test_impossible_counts_are_rejected():
    with pytest.raises(ValueError, match="intersection must be 0 to the area of the smaller mask"):
        overlap(5, 4, 10)


# --- RES ------------------------------------------------------------------------------------------


def test_res_by_hand():
    values = res_metrics([HIT, HALF])
    assert values == {
        "mIoU": 65.0,
        "oIoU": 60.0,  # (8 + 10) / (10 + 20)
        "Pr@0.5": 100.0,  # inclusive
        "Pr@0.6": 50.0,
        "Pr@0.7": 50.0,
        "Pr@0.8": 50.0,
        "Pr@0.9": 0.0,
    }


def test_res_excludes_no_target_samples():
    assert res_metrics([HIT, HALF, nothing(50)]) == res_metrics([HIT, HALF])


def test_lisa_counts_an_empty_union_as_perfect():
    values = res_metrics([HALF, nothing(0)], protocol="lisa")
    assert values == pytest.approx({"gIoU": 75.0, "cIoU": 50.0}, rel=1e-5)


def test_mllmseg_averages_images():
    """Image a: IoUs .8 and .5; image b: an empty union."""
    rows = [replace(HIT, group="a"), replace(HALF, group="a"), replace(nothing(0), group="b")]
    values = res_metrics(rows, protocol="mllmseg")
    assert values == pytest.approx({"gIoU": 82.5, "cIoU": 60.0}, rel=1e-4)
    assert res_metrics(rows, protocol="lisa")["gIoU"] == pytest.approx(230 / 3, rel=1e-4)
    with pytest.raises(ValueError, match="group must be set"):
        res_metrics([HIT], protocol="mllmseg")


def test_empty_union_sets_the_iou_of_empty_masks():
    void = overlap(0, 0, 0)  # a target without pixels, and nothing predicted
    assert res_metrics([HIT, void])["mIoU"] == 40.0
    assert res_metrics([HIT, void], empty_union="one")["mIoU"] == 90.0
    assert res_metrics([HIT, void], empty_union="one")["Pr@0.9"] == 50.0
    lisa = res_metrics([HALF, nothing(0)], protocol="lisa", empty_union="zero")
    assert lisa["gIoU"] == pytest.approx(25.0, rel=1e-4)


def test_reasonseg_reads_the_first_query_of_each_image():
    rows = [replace(HIT, group="a"), replace(HALF, group="b"), replace(HALF, group="a")]
    assert reasonseg_metrics(rows)["gIoU"] == pytest.approx(65.0, rel=1e-4)
    assert reasonseg_metrics(rows, queries="all")["gIoU"] == pytest.approx(60.0, rel=1e-4)


def test_unknown_options_are_rejected():
    with pytest.raises(ValueError, match="'refcoco', 'lisa' or 'mllmseg', got 'rela'"):
        res_metrics([], protocol="rela")
    with pytest.raises(ValueError, match="'rela' or 'gsva', got 'lisa'"):
        gres_metrics([], protocol="lisa")
    for metric in (refzom_metrics, gres_metrics, robust_metrics, false_premise_metrics):
        with pytest.raises(ValueError, match=r"accept must be .*'score', got 'logit'"):
            metric([], accept="logit")
    for metric in (res_metrics, reasonseg_metrics, mask_set_metrics):
        with pytest.raises(ValueError, match="empty_union must be 'zero' or 'one'"):
            metric([], empty_union="nan")
    with pytest.raises(ValueError, match="queries must be"):
        reasonseg_metrics([], queries="last")
    with pytest.raises(ValueError, match="unit must be"):
        mask_set_metrics([], unit="split")
    with pytest.raises(ValueError, match="variant of protocol='gsva' only"):
        gres_metrics([], count_false_area=False)
    with pytest.raises(ValueError, match="precision must be"):
        robust_metrics([], precision="sum")


# --- GRES -----------------------------------------------------------------------------------------


def test_gres_rela_by_hand():
    rows = [HIT, REJECTED, nothing(0, pred_no_target=True), nothing(20)]
    assert gres_metrics(rows) == pytest.approx(
        {
            "gIoU": 45.0,  # (.8 + 0 + 1 + 0) / 4
            "cIoU": 100 * 8 / (10 + 30 + 20),  # the rejected mask stays in the union
            "N-acc": 50.0,
            "T-acc": 50.0,
            "Pr@0.7": 50.0,
            "Pr@0.8": 50.0,
            "Pr@0.9": 0.0,
        }
    )


def test_gres_excludes_a_rejected_no_target_mask_from_the_union():
    assert gres_metrics([HIT, nothing(99, pred_no_target=True)])["cIoU"] == 80.0


def test_gres_gsva_credits_a_rejected_target():
    rows = [HIT, REJECTED, nothing(0, pred_no_target=True), nothing(20)]
    assert gres_metrics(rows, protocol="gsva") == pytest.approx(
        {"gIoU": 70.0, "cIoU": 100 * 38 / 60, "N-acc": 50.0, "T-acc": 50.0}, rel=1e-5
    )


def test_gres_gsva_can_exclude_the_area_of_false_masks():
    rows = [HIT, nothing(20)]
    assert gres_metrics(rows, protocol="gsva")["cIoU"] == pytest.approx(100 * 8 / 30)
    excluded = gres_metrics(rows, protocol="gsva", count_false_area=False)
    assert excluded["cIoU"] == pytest.approx(80.0)
    assert excluded["N-acc"] == 0.0


def test_accept_selects_the_no_target_decision():
    """One target: the model decides for none, its mask has pixels, its best instance scores 0.7."""
    row = replace(HIT, pred_no_target=True, top_score=0.7)
    assert gres_metrics([row])["T-acc"] == 0.0
    assert gres_metrics([row], accept="mask")["T-acc"] == 100.0
    assert gres_metrics([row], accept="score")["T-acc"] == 0.0  # 0.7 is not above 0.7
    assert gres_metrics([row], accept="score", score_thr=0.6)["gIoU"] == 80.0
    with pytest.raises(ValueError, match="needs instance scores"):
        accepts(HIT, "score")


def test_rejecting_everything_scores_on_no_target_samples_only():
    values = gres_metrics([REJECTED, nothing(0, pred_no_target=True)])
    assert (values["gIoU"], values["cIoU"]) == (50.0, 0.0)
    assert (values["N-acc"], values["T-acc"]) == (100.0, 0.0)


# --- Ref-ZOM, R-RefCOCO, rounds -------------------------------------------------------------------


def test_refzom_rejects_by_mask_or_by_decision():
    rows = [HIT, nothing(0), nothing(3, pred_no_target=True), nothing(3)]
    assert refzom_metrics(rows)["Acc"] == pytest.approx(100 / 3)
    rows = [HIT, nothing(1, pred_no_target=True), nothing(3)]
    assert refzom_metrics(rows)["Acc"] == 0.0
    assert refzom_metrics(rows, accept="decision")["Acc"] == 50.0
    assert refzom_metrics(rows)["mIoU"] == 80.0


def test_robust_metrics_are_means_over_refs():
    first = [HIT, HALF, nothing(0), nothing(30)]  # I 18, U 30, one false positive of 30
    second = [overlap(10, 10, 10), nothing(0)]
    values = robust_metrics([first, second])
    assert values["mIoU"] == pytest.approx((65 + 100) / 2)
    assert values["oIoU"] == pytest.approx(100 * 28 / 40)
    assert values["mRR"] == pytest.approx((50 + 100) / 2)
    assert values["rIoU"] == pytest.approx((100 * 18 / 60 + 100) / 2)


def test_robust_false_positives_by_score():
    ref = [HIT, nothing(30, top_score=0.5), nothing(30, top_score=0.9)]
    assert robust_metrics([ref])["mRR"] == 0.0
    by_score = robust_metrics([ref], accept="score")
    assert by_score["mRR"] == 50.0
    assert by_score["rIoU"] == pytest.approx(100 * 8 / 40)


def test_false_premises_by_hand():
    """A hit, a false rejection, a claim with an empty mask, a true rejection, a false claim."""
    void = overlap(0, 0, 10)
    rows = [HIT, REJECTED, void, nothing(0, pred_no_target=True), nothing(5)]
    assert false_premise_metrics(rows) == pytest.approx(
        {
            "cIoU": 100 * 8 / (10 + 30 + 10 + 5),  # the rejected mask of 30 pixels counts as empty
            "See": 40.0,
            "N-acc": 50.0,
            "T-acc": 100 / 3,
        }
    )
    # A rejected mask for a false premise does not count either.
    assert false_premise_metrics([HIT, nothing(9, pred_no_target=True)])["cIoU"] == pytest.approx(
        80
    )


def test_masks_are_paired_by_the_largest_sum_of_ious():
    """Greedy pairing would give the second prediction the first target, and IoU 0 to the other."""
    targets = [rle("####...."), rle("....####")]
    preds = [rle("#......."), rle("..####..")]
    row = pair_masks(preds, targets, group="a")
    assert row == MaskSetRow(pairs=((1, 4), (2, 6)), predictions=2, targets=2, group="a")


def test_surplus_masks_are_paired_with_an_empty_mask():
    pred = [rle("##..")]
    assert pair_masks(pred, []).pairs == ((0, 2),)
    assert pair_masks([], pred).pairs == ((0, 2),)
    assert pair_masks([], []).pairs == ()
    extra = pair_masks([rle("..#."), rle("##..")], [rle("##..")], group="a")
    assert extra.pairs == ((2, 2), (0, 1))
    values = mask_set_metrics([extra])
    assert values == pytest.approx({"gIoU": 50.0, "cIoU": 200 / 3}, rel=1e-4)


def test_a_surplus_mask_offsets_a_missing_one_within_an_image():
    surplus = MaskSetRow(pairs=((4, 4), (0, 4)), predictions=2, targets=1, group="a")
    lacking = MaskSetRow(pairs=((4, 4), (0, 4)), predictions=1, targets=2, group="a")
    assert mask_set_metrics([surplus, lacking])["gIoU"] == pytest.approx(200 / 3, rel=1e-4)
    strict = mask_set_metrics([surplus, lacking], unit="question")
    assert strict["gIoU"] == pytest.approx(50.0, rel=1e-4)
    assert strict["cIoU"] == pytest.approx(50.0)


def test_empty_union_sets_the_iou_of_an_empty_pair():
    row = MaskSetRow(pairs=((0, 0),), predictions=1, targets=0, group="a")
    assert mask_set_metrics([row])["gIoU"] == pytest.approx(100.0, rel=1e-4)
    assert mask_set_metrics([row], empty_union="zero")["gIoU"] == 0.0


def test_official_precision_compares_a_running_sum():
    ref = [HALF, HALF, nothing(0)]
    assert robust_metrics([ref])["Pr@0.9"] == 50.0  # .5, then .5 + .5
    assert robust_metrics([ref], precision="sentence")["Pr@0.9"] == 0.0


def test_a_ref_without_negatives_has_no_rejection_rate():
    assert robust_metrics([[HIT], [HIT, nothing(0)]])["mRR"] == 100.0


def test_rounds_are_aggregated_separately():
    def row(index, box_iou):
        return RoundRow(intersection=8, pred_area=8, target_area=10, round=index, box_iou=box_iou)

    values = multi_round_metrics([row(1, 0.5), row(0, 0.51), row(1, 0.9)])
    assert list(values) == [0, 1]
    assert values[0] == pytest.approx({"oIoU": 80.0, "mIoU": 80.0, "P@0.5": 100.0}, rel=1e-4)
    assert values[1]["P@0.5"] == pytest.approx(50.0)  # exactly .5 is a miss


# --- invariants of all metrics --------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["rela", "gsva"])
def test_no_sample_gives_zeros(protocol):
    assert set(gres_metrics([], protocol=protocol).values()) == {0.0}


def test_no_sample_gives_zeros_in_the_other_metrics():
    for values in (res_metrics([]), res_metrics([], protocol="lisa"), refzom_metrics([])):
        assert set(values.values()) == {0.0}
    assert set(robust_metrics([]).values()) == {0.0}
    for values in (false_premise_metrics([]), mask_set_metrics([]), reasonseg_metrics([])):
        assert set(values.values()) == {0.0}
    assert multi_round_metrics([]) == {}


@given(st.lists(mask_rows(), max_size=12), st.randoms())
def test_values_do_not_depend_on_the_order_of_samples(rows, random):
    shuffled = random.sample(rows, len(rows))
    for metric in (res_metrics, gres_metrics, refzom_metrics, false_premise_metrics):
        assert metric(rows) == metric(shuffled)
    assert gres_metrics(rows, protocol="gsva") == gres_metrics(shuffled, protocol="gsva")
    assert res_metrics(rows, protocol="lisa") == res_metrics(shuffled, protocol="lisa")


@given(st.lists(mask_rows(), max_size=12))
def test_values_are_percentages(rows):
    metrics = (res_metrics(rows), gres_metrics(rows), gres_metrics(rows, protocol="gsva"))
    for values in (*metrics, refzom_metrics(rows), robust_metrics([rows], precision="sentence")):
        assert all(0.0 <= value <= 100.0 for value in values.values()), values


@given(st.lists(st.integers(0, 50), min_size=1, max_size=12))
def test_a_perfect_prediction_scores_100(areas):
    """Area 0 stands for a no-target sample, which the model rejects."""
    rows = [overlap(a, a, a) if a else nothing(0, pred_no_target=True) for a in areas]
    values = gres_metrics([*rows, overlap(5, 5, 5), nothing(0, pred_no_target=True)])
    assert set(values.values()) == {100.0}
    assert set(refzom_metrics([*rows, overlap(5, 5, 5), nothing(0)]).values()) == {100.0}


@given(st.lists(mask_rows(), min_size=1, max_size=12))
def test_crediting_rejected_targets_never_lowers_the_score(rows):
    rela, gsva = gres_metrics(rows), gres_metrics(rows, protocol="gsva")
    # GSVA's meter divides by count + 1e-5.
    assert gsva["gIoU"] * (1 + 2e-5) >= rela["gIoU"] - 1e-9
    assert gsva["cIoU"] * (1 + 2e-5) >= rela["cIoU"] - 1e-9
    assert (gsva["N-acc"], gsva["T-acc"]) == (rela["N-acc"], rela["T-acc"])
