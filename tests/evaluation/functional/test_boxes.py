"""REC and GREC compared with values computed by hand."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vgtoolbox.evaluation.functional import (
    BoxRow,
    grec_counts,
    grec_metrics,
    greedy_pairs,
    mask_box_row,
    ranked_box_ious,
    rec_metrics,
)
from vgtoolbox.structures import empty_rle, encode_masks

UNIT = [0.0, 0.0, 10.0, 10.0]
FAR = [50.0, 50.0, 60.0, 60.0]
SHIFTED = [1.7, 1.7, 11.7, 11.7]  # IoU .525, GIoU .483 with UNIT


def row(predicted, targets) -> BoxRow:
    """Return a row with predicted (box, score) pairs."""
    return BoxRow(
        boxes_xyxy=torch.tensor([box for box, _ in predicted]).reshape(-1, 4),
        scores=torch.tensor([score for _, score in predicted]).reshape(-1),
        target_boxes_xyxy=torch.tensor(targets).reshape(-1, 4),
    )


# --- REC ------------------------------------------------------------------------------------------


def test_rec_takes_the_box_of_highest_score():
    assert rec_metrics([row([(FAR, 0.9), (UNIT, 0.8)], [UNIT])])["Acc@0.5"] == 0.0
    assert rec_metrics([row([(FAR, 0.7), (UNIT, 0.8)], [UNIT])])["Acc@0.9"] == 100.0


def test_rec_threshold_is_inclusive_by_default():
    half = row([([0.0, 0.0, 5.0, 10.0], 0.9)], [UNIT])
    assert rec_metrics([half])["Acc@0.5"] == 100.0
    assert rec_metrics([half], inclusive=False)["Acc@0.5"] == 0.0
    assert rec_metrics([half])["Acc@0.6"] == 0.0


def test_rec_counts_a_missing_box_as_a_miss_and_excludes_no_target():
    rows = [row([(UNIT, 0.9)], [UNIT]), row([], [UNIT]), row([(UNIT, 0.9)], [])]
    assert set(rec_metrics(rows).values()) == {50.0}


def test_rec_top_k_takes_the_best_of_k_boxes():
    """As in mmdet's RefExp: precision@1, 5 and 10."""
    near = [row([(FAR, 0.9), (UNIT, 0.8)], [UNIT]), row([(UNIT, 0.5)], [UNIT]), row([], [UNIT])]
    values = rec_metrics(near, thresholds=(0.5,), top_k=(1, 2))
    assert values == pytest.approx({"Acc@0.5": 100 / 3, "Acc@0.5 (top 2)": 200 / 3})


def test_equal_scores_keep_the_order_of_the_prediction():
    assert ranked_box_ious(row([(FAR, 0.5), (UNIT, 0.5)], [UNIT])).tolist() == [0.0, 1.0]
    with pytest.raises(ValueError, match="names nothing"):
        ranked_box_ious(row([(FAR, 0.5)], []))


def test_rec_of_the_extent_of_a_mask():
    """Columns 1 to 4 and rows 0 to 2 are 4 x 3 pixels; MLLMSeg's extent is 3 x 2."""
    mask = torch.zeros(1, 6, 8, dtype=torch.bool)
    mask[0, :3, 1:5] = True
    (rle,) = encode_masks(mask)
    target = torch.tensor([[1.0, 0.0, 5.0, 3.0]])
    assert mask_box_row(rle, target).boxes_xyxy.tolist() == target.tolist()
    published = mask_box_row(rle, target, mask_box="pixel_index")
    assert published.boxes_xyxy.tolist() == [[1.0, 0.0, 4.0, 2.0]]
    # 3 x 2 of 4 x 3 pixels: IoU is exactly 0.5.
    assert rec_metrics([published])["Acc@0.5"] == 100.0
    assert rec_metrics([published], inclusive=False)["Acc@0.5"] == 0.0
    nothing = mask_box_row(empty_rle((6, 8)), target, mask_box="pixel_index")
    assert nothing.boxes_xyxy.tolist() == [[0.0] * 4]
    assert rec_metrics([nothing])["Acc@0.5"] == 0.0
    with pytest.raises(ValueError, match="mask_box must be"):
        mask_box_row(rle, target, mask_box="voc")


def test_rec_of_no_sample_is_zero():
    assert set(rec_metrics([]).values()) == set(rec_metrics([row([], [])]).values()) == {0.0}


# --- GREC -----------------------------------------------------------------------------------------


def test_grec_compares_the_generalized_iou_by_default():
    shifted = [row([(SHIFTED, 0.9)], [UNIT])]
    assert grec_metrics(shifted)["Pr@(F1=1)"] == 0.0
    assert grec_metrics(shifted, match="iou")["Pr@(F1=1)"] == 100.0
    with pytest.raises(ValueError, match="match must be"):
        grec_metrics(shifted, match="l1")


def test_grec_needs_every_box_and_every_target():
    both = row([(UNIT, 0.9), (FAR, 0.8)], [FAR, UNIT])
    surplus = row([(UNIT, 0.9), (FAR, 0.8)], [UNIT])
    lacking = row([(UNIT, 0.9), (FAR, 0.5)], [UNIT, FAR])
    double = row([(UNIT, 0.9), (UNIT, 0.9)], [UNIT, FAR])
    values = [grec_metrics([r])["Pr@(F1=1)"] for r in (both, surplus, lacking, double)]
    assert values == [100.0, 0.0, 0.0, 0.0]


def test_grec_on_no_target_samples():
    rows = [row([(UNIT, 0.6)], []), row([(UNIT, 0.9)], []), row([], []), row([], [UNIT])]
    assert grec_metrics(rows) == pytest.approx({"Pr@(F1=1)": 50.0, "N-acc": 200 / 3, "T-acc": 0.0})


def test_grec_score_threshold_is_inclusive_in_double_precision():
    """A float32 score of 0.75 is exactly 0.75, but one of 0.7 is 0.69999999."""
    assert grec_metrics([row([(UNIT, 0.75)], [UNIT])], score_thr=0.75)["T-acc"] == 100.0
    assert grec_metrics([row([(UNIT, 0.7)], [UNIT])], score_thr=0.7)["T-acc"] == 0.0


def test_grec_of_no_sample_is_zero():
    assert set(grec_metrics([]).values()) == {0.0}


def test_pairs_are_matched_greedily():
    """The best pair blocks the assignment that would match both."""
    similarity = torch.tensor([[0.9, 0.8], [0.7, 0.1]])
    assert greedy_pairs(similarity, 0.5) == [(0, 0)]
    assert greedy_pairs(similarity, 0.05) == [(0, 0), (1, 1)]
    assert greedy_pairs(torch.zeros(0, 3), 0.5) == greedy_pairs(torch.zeros(3, 0), 0.5) == []


def test_f1_by_hand():
    counts = grec_counts(row([(UNIT, 0.9), (FAR, 0.9)], [UNIT]))
    assert (counts, counts.f1) == ((2, 1, 1), 2 / 3)
    assert grec_counts(row([], [])).f1 == 1.0
    assert grec_counts(row([(UNIT, 0.9)], [])).f1 == 0.0


# --- invariants -----------------------------------------------------------------------------------

coordinates = st.integers(0, 40)
boxes = st.tuples(coordinates, coordinates, st.integers(1, 20), st.integers(1, 20)).map(
    lambda xywh: [float(v) for v in (xywh[0], xywh[1], xywh[0] + xywh[2], xywh[1] + xywh[3])]
)
scores = st.sampled_from([0.1, 0.5, 0.7, 0.75, 0.9])
rows = st.lists(
    st.builds(row, st.lists(st.tuples(boxes, scores), max_size=4), st.lists(boxes, max_size=3)),
    max_size=6,
)


@settings(max_examples=50)
@given(rows, st.randoms())
def test_values_do_not_depend_on_the_order_of_samples(samples, random):
    shuffled = random.sample(samples, len(samples))
    assert rec_metrics(samples) == rec_metrics(shuffled)
    assert grec_metrics(samples) == grec_metrics(shuffled)


@settings(max_examples=50)
@given(st.lists(st.tuples(boxes, boxes), max_size=6))
def test_giou_is_stricter_than_iou(pairs):
    """With more than one box or target the two may pair them differently."""
    samples = [row([(box, 0.9)], [target]) for box, target in pairs]
    official, port = grec_metrics(samples), grec_metrics(samples, match="iou")
    assert official["Pr@(F1=1)"] <= port["Pr@(F1=1)"]
    assert official["N-acc"] == port["N-acc"]


@settings(max_examples=50)
@given(st.lists(st.lists(boxes, max_size=3), min_size=1, max_size=6))
def test_a_perfect_prediction_scores_100(targets):
    samples = [row([(box, 0.9) for box in each], each) for each in [*targets, [UNIT], []]]
    assert set(grec_metrics(samples).values()) == {100.0}
    single = [row([(each[0], 0.9)], each[:1]) for each in targets if each]
    assert set(rec_metrics([*single, row([(UNIT, 0.9)], [UNIT])]).values()) == {100.0}
