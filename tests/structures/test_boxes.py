import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vgtoolbox.structures import (
    box_iou,
    check_boxes_xyxy,
    clip_boxes,
    convert_boxes,
    denormalize_boxes,
    generalized_box_iou,
    normalize_boxes,
)

EMPTY = torch.zeros(0, 4)


@st.composite
def boxes_xyxy(draw, max_size=5):
    numbers = st.integers(0, 500)
    rows = draw(
        st.lists(
            st.tuples(numbers, numbers, st.integers(1, 300), st.integers(1, 300)), max_size=max_size
        )
    )
    xywh = torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)
    return torch.cat([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], 1)


def test_conversion_by_hand():
    xyxy = torch.tensor([[10.0, 20.0, 30.0, 60.0]])
    assert convert_boxes(xyxy, "xyxy", "xywh").tolist() == [[10, 20, 20, 40]]
    assert convert_boxes(xyxy, "xyxy", "cxcywh").tolist() == [[20, 40, 20, 40]]


def test_normalization_divides_by_height_and_width():
    boxes = normalize_boxes(torch.tensor([[10.0, 20.0, 30.0, 60.0]]), (80, 40))
    torch.testing.assert_close(boxes, torch.tensor([[0.5, 0.5, 0.5, 0.5]]))


@given(boxes_xyxy(), st.sampled_from(["xywh", "cxcywh"]))
def test_conversion_round_trip(boxes, other):
    torch.testing.assert_close(
        convert_boxes(convert_boxes(boxes, "xyxy", other), other, "xyxy"), boxes
    )


@given(boxes_xyxy(), st.tuples(st.integers(1, 900), st.integers(1, 900)))
def test_normalization_round_trip(boxes, size):
    back = denormalize_boxes(normalize_boxes(boxes, size), size)
    torch.testing.assert_close(back, boxes, atol=1e-3, rtol=1e-5)


@given(boxes_xyxy(), st.tuples(st.integers(1, 400), st.integers(1, 400)))
def test_clipped_boxes_are_inside_the_image_and_unchanged_by_clipping(boxes, size):
    clipped = clip_boxes(boxes, size)
    check_boxes_xyxy(clipped)
    assert (clipped >= 0).all()
    assert (clipped[:, 0::2] <= size[1]).all()
    assert (clipped[:, 1::2] <= size[0]).all()
    assert torch.equal(clip_boxes(clipped, size), clipped)


def test_iou_by_hand():
    a = torch.tensor([[0.0, 0.0, 10.0, 10.0]])
    b = torch.tensor([[5.0, 0.0, 15.0, 10.0], [20.0, 0.0, 30.0, 10.0], [0.0, 0.0, 10.0, 10.0]])
    torch.testing.assert_close(box_iou(a, b), torch.tensor([[50 / 150, 0.0, 1.0]]))
    # The hull of the second pair is 30 x 10, of which 10 x 10 is in neither box.
    torch.testing.assert_close(
        generalized_box_iou(a, b), torch.tensor([[50 / 150, -100 / 300, 1.0]])
    )


@given(boxes_xyxy(), boxes_xyxy())
def test_iou_is_symmetric_bounded_and_above_giou(a, b):
    iou, giou = box_iou(a, b), generalized_box_iou(a, b)
    assert iou.shape == giou.shape == (len(a), len(b))
    torch.testing.assert_close(iou, box_iou(b, a).T)
    torch.testing.assert_close(giou, generalized_box_iou(b, a).T)
    assert ((iou >= 0) & (iou <= 1)).all()
    assert ((giou >= -1) & (giou <= iou + 1e-6)).all()
    torch.testing.assert_close(box_iou(a, a).diagonal(), torch.ones(len(a)))


def test_iou_of_boxes_without_area_is_zero():
    point = torch.tensor([[3.0, 3.0, 3.0, 3.0]])
    assert box_iou(point, point).item() == 0
    assert generalized_box_iou(point, point).item() == 0


def test_zero_boxes():
    some = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    check_boxes_xyxy(EMPTY)
    assert convert_boxes(EMPTY, "xyxy", "cxcywh").shape == (0, 4)
    assert normalize_boxes(EMPTY, (5, 5)).shape == (0, 4)
    assert denormalize_boxes(EMPTY, (5, 5)).shape == (0, 4)
    assert clip_boxes(EMPTY, (5, 5)).shape == (0, 4)
    for iou in (box_iou, generalized_box_iou):
        assert iou(EMPTY, some).shape == (0, 1)
        assert iou(some, EMPTY).shape == (1, 0)
        assert iou(EMPTY, EMPTY).shape == (0, 0)


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        (torch.zeros(4), r"my_boxes must have shape \(N, 4\), got \(4,\)"),
        (torch.zeros(2, 5), r"must have shape \(N, 4\)"),
        (torch.zeros(1, 4, dtype=torch.long), r"floating point, got torch\.int64"),
        (
            torch.tensor([[0.0, 0, 1, 1], [2.0, 0, 1, 1]]),
            r"my_boxes\[1\] must be a box .*, got \[2\.0, ",
        ),
        (torch.tensor([[0.0, 3, 1, 1]]), "must be a box"),
        (torch.tensor([[0.0, float("nan"), 1, 1]]), "must be a box"),
        (torch.tensor([[0.0, 0, float("inf"), 1]]), "must be a box"),
    ],
)
def test_invalid_boxes_raise(boxes, message):
    with pytest.raises(ValueError, match=message):
        check_boxes_xyxy(boxes, name="my_boxes")
