"""Values of files are checked before pycocotools reads them, and errors say what was found."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vgtoolbox.structures import (
    GeometryError,
    check_boxes,
    check_prediction,
    check_rle,
    check_scores,
    check_size,
    decode_masks,
    decode_masks_resized,
    encode_masks,
    intersection_and_union,
    merge_rles,
    rle_areas,
    rle_boxes_xyxy,
    rle_iou,
    segmentation_to_rle,
)
from vgtoolbox.structures.recent_masks import screen_masks
from vgtoolbox.structures.validation import FractionDetector

NAN, INF = math.nan, math.inf
SHORT = {"size": [100, 100], "counts": "T3X6"}
"""100 background and 200 foreground pixels of 10000."""


def rle_of(runs, size):
    return {"size": list(size), "counts": list(runs)}


@st.composite
def dense_masks(draw):
    height, width = draw(st.integers(1, 20)), draw(st.integers(1, 20))
    bits = draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))
    return torch.tensor(bits).reshape(1, height, width)


def runs_of(mask):
    column_major = mask[0].T.flatten().numpy()
    edges = np.flatnonzero(np.diff(np.r_[False, column_major, False]))
    runs = np.diff(np.r_[0, edges]).tolist()
    return [*runs, column_major.size - sum(runs)]


class TestRunLengths:
    @given(dense_masks())
    def test_every_form_of_a_valid_mask_is_returned_as_text(self, mask):
        (expected,) = encode_masks(mask)
        size, text = (mask.shape[1], mask.shape[2]), expected["counts"]
        runs = runs_of(mask)
        floats = list(map(float, runs))
        for counts in (text, text.encode(), runs, tuple(runs), floats, np.array(runs).tolist()):
            checked = check_rle({"size": list(size), "counts": counts}, size)
            assert type(checked) is dict
            assert checked == expected
            assert torch.equal(decode_masks([checked]), mask)

    @given(dense_masks(), st.data())
    def test_empty_runs_are_merged(self, mask, data):
        """pycocotools gives wrong boxes for them."""
        runs, size = runs_of(mask), (mask.shape[1], mask.shape[2])
        cut = data.draw(st.integers(0, len(runs)))
        if cut < len(runs):  # split a run by an empty one of the other color
            part = data.draw(st.integers(0, runs[cut]))
            runs[cut : cut + 1] = [part, 0, runs[cut] - part]
        else:
            runs += [0, 0]
        rle = segmentation_to_rle(rle_of(runs, size), size)
        assert rle == encode_masks(mask)[0]
        assert torch.equal(rle_boxes_xyxy([rle]), rle_boxes_xyxy(encode_masks(mask)))

    @pytest.mark.parametrize(
        ("counts", "message"),
        [
            ("T3X6", r"got 2 runs of 300 pixels, the image has 10000 \(100 x 100\)"),
            (b"T3X6", "got 2 runs of 300 pixels"),
            ([100, 200], "got 2 runs of 300 pixels"),
            ([100, 9901], "got 2 runs of 10001 pixels"),
            ([10005, -5], "the shortest -5"),
            ([2**70], "Python int|too large|out of"),
            ([NAN], "NaN|integer"),
            ([INF], "integer|infinity"),
            ([9999.5, 0.5], "must be integers"),
            ([True] * 10000, "must be integers"),
            (["10000"], "must be integers"),
            ([None], "must be integers"),
            ([], "got 0 runs of 0 pixels"),
            ("", "got 0 runs of 0 pixels"),
            ("T3X", "must end with a complete number"),
            ("PPPPPPPPPP0", "at most 6 characters"),
            ("T3X6 ", 'characters "0" to "o" only'),
            ("T3X6\0", 'characters "0" to "o" only'),
            ("T3X6\ud800", 'characters "0" to "o" only'),
            ("T3é", 'characters "0" to "o" only'),
            (b"T3\xff", 'characters "0" to "o" only'),
            (None, "must be text, bytes or a list"),
            (10000, "must be text, bytes or a list"),
            ({}, "must be text, bytes or a list"),
        ],
    )
    def test_invalid_counts_raise(self, counts, message):
        rle = {"size": [100, 100], "counts": counts}
        with pytest.raises(GeometryError, match=rf"masks\[3\].*({message})"):
            check_rle(rle, (100, 100), "masks[3]")

    @pytest.mark.parametrize(
        "size",
        [
            [100],
            [100, 100, 1],
            [0, 100],
            [-100, -100],
            [100.0, 100],
            [True, 10000],
            ["100", "100"],
            [None, 100],
            [10**6, 1],
            [99_999, 99_999],
            [10**400, 1],
            "10",
            100,
            None,
        ],
    )
    def test_invalid_sizes_raise(self, size):
        with pytest.raises(GeometryError, match=r"size of a mask must be \[height, width\]"):
            check_rle({"size": size, "counts": [10000]})
        with pytest.raises(GeometryError, match=r"must be \[height, width\]"):
            check_size(size)

    @pytest.mark.parametrize("rle", [None, [], "T3X6", 3, {}, {"size": [1, 1]}, {"counts": "1"}])
    def test_other_values_raise(self, rle):
        with pytest.raises(GeometryError, match="must be a run-length encoding"):
            check_rle(rle)

    def test_a_mask_of_another_image_raises(self):
        rle = encode_masks(torch.ones(1, 4, 5))[0]
        with pytest.raises(GeometryError, match="of its image, 5 x 4, got 4 x 5"):
            check_rle(rle, (5, 4))

    @pytest.mark.parametrize(
        "read",
        [
            lambda rle: decode_masks([rle]),
            lambda rle: decode_masks_resized([rle], (100, 100), (10, 10)),
            lambda rle: merge_rles([rle, rle], (100, 100)),
            lambda rle: merge_rles([*encode_masks(torch.ones(1, 100, 100)), rle], (100, 100)),
            lambda rle: rle_areas([rle]),
            lambda rle: rle_boxes_xyxy([rle]),
            lambda rle: rle_iou([rle], [rle]),
            lambda rle: intersection_and_union(rle, rle),
            lambda rle: segmentation_to_rle(rle, (100, 100)),
        ],
    )
    def test_no_function_passes_an_invalid_mask_on(self, read):
        with pytest.raises(GeometryError, match="300 pixels, the image has 10000"):
            read(SHORT)

    def test_masks_of_different_sizes_are_not_combined(self):
        first, second = (encode_masks(torch.ones(1, *size))[0] for size in ((4, 5), (5, 4)))
        for combine in (
            lambda: decode_masks([first, second]),
            lambda: merge_rles([first, second], (4, 5)),
            lambda: rle_iou([first], [second]),
            lambda: intersection_and_union(first, second),
        ):
            with pytest.raises(GeometryError, match="4 x 5, got 5 x 4"):
                combine()

    def test_a_changed_mask_is_checked_again(self):
        rle = encode_masks(torch.ones(1, 100, 100))[0]
        assert rle_areas([rle]).tolist() == [10000]
        rle["counts"] = SHORT["counts"]
        with pytest.raises(GeometryError, match="300 pixels"):
            rle_areas([rle])
        rle = {**encode_masks(torch.ones(1, 100, 100))[0], "size": [50, 50]}
        with pytest.raises(GeometryError, match="the image has 2500"):
            rle_areas([rle])

    @given(
        st.lists(
            st.one_of(
                dense_masks().map(lambda mask: encode_masks(mask)[0]),
                st.builds(
                    lambda counts: {"size": [3, 4], "counts": counts},
                    st.text("0123456:;<OPQXlno~ ", max_size=6),
                ),
                st.sampled_from([None, 3, {}, {"size": [3, 4], "counts": [12]}, SHORT]),
            ),
            max_size=6,
        )
    )
    def test_screening_does_not_change_what_is_valid(self, rles):
        def verdicts():
            found = []
            for rle in rles:
                try:
                    found.append(check_rle(rle))
                except GeometryError:
                    found.append(None)
            return found

        before = verdicts()
        screen_masks(rles)
        assert verdicts() == before

    def test_mutated_masks_are_decoded_or_refused(self):
        """In a process of its own, since pycocotools would crash it or never return."""
        result = subprocess.run(
            [sys.executable, "-c", MUTATIONS], capture_output=True, text=True, timeout=240
        )
        assert result.returncode == 0, result.stderr
        valid, refused = map(int, result.stdout.split())
        assert valid > 100
        assert refused > 1000


MUTATIONS = """
import random
import numpy as np, torch
from vgtoolbox.structures import *
from vgtoolbox.structures.run_lengths import unpack_runs

random.seed(3)
valid = refused = 0
size = (24, 31)
planes = torch.rand(40, *size, generator=torch.Generator().manual_seed(0)) < 0.2
planes[20:] = False
for plane in planes[20:]:
    y, x = random.randrange(20), random.randrange(27)
    plane[y : y + 9, x : x + 9] = True
texts = [rle["counts"] for rle in encode_masks(planes)]
other = encode_masks(planes[:1])[0]
for _ in range(4000):
    text = list(random.choice(texts))
    for _ in range(random.choice((1, 1, 1, 2, 5))):
        place = random.randrange(len(text))
        change = random.random()
        if change < 0.4:
            text[place] = chr(random.choice((random.randrange(48, 112), random.randrange(256))))
        elif change < 0.6:
            text[place : place + 2] = text[place : place + 2][::-1]
        elif change < 0.8 and len(text) > 1:
            del text[place : place + random.choice((1, 2, 9))]
        else:
            text.insert(place, chr(random.randrange(48, 112)))
        text = text or ["0"]
    rle = {"size": list(size), "counts": "".join(text)}
    try:
        read = segmentation_to_rle(rle, size)
    except GeometryError:
        refused += 1
        continue
    valid += 1
    runs = unpack_runs(rle["counts"])
    pixels = np.repeat(np.arange(len(runs)) & 1, runs).reshape(size[::-1]).T
    assert np.array_equal(decode_masks([read])[0].numpy(), pixels)
    assert rle_areas([read])[0] == pixels.sum()
    merged = merge_rles([read, other], size)
    assert rle_areas([merged])[0] == (pixels | planes[0].numpy()).sum()
    rle_boxes_xyxy([read]), rle_iou([read], [other]), intersection_and_union(read, other)
print(valid, refused)
"""


class TestBoxesAndScores:
    def test_valid_values_are_returned(self):
        assert check_boxes([[1, 2, 3, 4.5], (1, 1, 1, 1)]) == [[1, 2, 3, 4.5], [1, 1, 1, 1]]
        assert check_boxes([[np.float64(1), 2, 3, 4]]) == [[1, 2, 3, 4]]
        assert check_boxes([]) == []
        assert check_scores([0, 0.5, -3.5]) == [0, 0.5, -3.5]

    @pytest.mark.parametrize(
        ("boxes", "message"),
        [
            ([[24, 20, 8, 8]], r"boxes_xyxy\[0\] must be a box with x1 <= x2 and y1 <= y2"),
            ([[0, 0, 1, 1], [1, 5, 2, 3]], r"boxes_xyxy\[1\] .*got \[1, 5, 2, 3\]"),
            ([[1, 2, 3]], r"a box of 4 finite numbers, got list of 3"),
            ([[1, 2, 3, "4"]], "4 finite numbers"),
            ([[1, 2, 3, True]], "4 finite numbers"),
            ([[1, 2, 3, None]], "4 finite numbers"),
            ([[1, 2, NAN, 4]], "4 finite numbers"),
            ([[1, 2, 3, INF]], "4 finite numbers"),
            ([[1, 2, 3, 10**400]], "4 finite numbers"),
            ([[1, 2, 3, 10**5000]], "4 finite numbers"),
            ([None], "4 finite numbers, got NoneType"),
            (["1234"], "4 finite numbers"),
            ([[[1, 2, 3, 4]]], "4 finite numbers"),
            (None, "must be a list of boxes, got NoneType"),
            ({"a": 1}, "must be a list of boxes"),
        ],
    )
    def test_invalid_boxes_raise(self, boxes, message):
        with pytest.raises(GeometryError, match=message):
            check_boxes(boxes)

    @pytest.mark.parametrize(
        "scores", [["0.9"], [None], [NAN], [INF], [-INF], [True], [[0.9]], [10**400]]
    )
    def test_invalid_scores_raise(self, scores):
        with pytest.raises(GeometryError, match=r"scores\[0\] must be a finite number, got"):
            check_scores(scores)
        with pytest.raises(GeometryError, match="scores must be a list of numbers"):
            check_scores(0.9)

    @pytest.mark.parametrize(
        ("boxes", "expected"),
        [
            ([[0.1, 0.2, 0.5, 0.5], [0, 0, 1, 1]], True),
            ([[0, 0, 1.02, 0.5]], True),
            ([[0.1, 0.2, 0.5, 0.5], [3, 4, 9, 9]], False),
            ([[-2.0, 0, 0.5, 0.5]], False),
            ([[0, 0, 0, 0]], False),
            ([], False),
        ],
    )
    def test_fractions_are_detected(self, boxes, expected):
        detector = FractionDetector()
        for box in boxes:
            detector.add([box])
        assert detector.are_fractions is expected
        if expected:
            with pytest.raises(GeometryError, match=r"a\.json must have boxes in pixels"):
                detector.check("a.json")
        else:
            detector.check("a.json")


def record(**changes):
    mask = encode_masks(torch.ones(1, 4, 5))[0]
    valid = {
        "size": [4, 5],
        "boxes_xyxy": [[0, 0, 5, 4]],
        "scores": [0.9],
        "masks": [mask],
        "merged_mask": mask,
        "no_target": False,
        "existence": 0.9,
        "note": "kept",
    }
    return {**valid, **changes}


class TestPrediction:
    def test_valid_records_are_returned(self):
        assert check_prediction(record()) == record()
        empty = record(boxes_xyxy=[], scores=[], masks=[], merged_mask=None, no_target=True)
        assert check_prediction(json.loads(json.dumps(empty))) == empty
        other_forms = record(masks=[rle_of([0, 20], (4, 5))])
        assert check_prediction(other_forms) == record()

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"boxes_xyxy": [[0, 0, 5, 4]] * 2}, "got 2 boxes and 1 scores"),
            ({"scores": [0.9, 0.8]}, "got 1 boxes and 2 scores"),
            ({"scores": []}, "got 1 boxes and 0 scores"),
            ({"scores": None}, "scores must be a list"),
            ({"boxes_xyxy": None}, "boxes_xyxy must be a list"),
            ({"masks": None}, "masks must be a list, empty without masks, got NoneType"),
            ({"masks": {}}, "masks must be a list"),
            ({"masks": [SHORT]}, r"masks\[0\] must have the height x width .* 4 x 5"),
            ({"masks": [rle_of([19], (4, 5))]}, r"masks\[0\] .* 19 pixels, the image has 20"),
            ({"masks": [None]}, r"masks\[0\] must be a run-length encoding"),
            ({"masks": [rle_of([20], (4, 5))] * 2}, "got 1 boxes and 2 masks"),
            ({"merged_mask": rle_of([19], (4, 5))}, "merged_mask .* 19 pixels"),
            ({"merged_mask": []}, "merged_mask must be a run-length encoding"),
            ({"merged_mask": rle_of([20], (5, 4))}, "merged_mask .* 4 x 5, got 5 x 4"),
            ({"no_target": 0}, "no_target must be true or false, got int 0"),
            ({"no_target": "false"}, "no_target must be true or false, got str 'false'"),
            ({"no_target": None}, "no_target must be true or false"),
            ({"existence": 1.5}, r"existence must be a number in \[0, 1\]"),
            ({"existence": NAN}, "existence must be a number"),
            ({"existence": True}, "existence must be a number"),
            ({"existence": "0.5"}, "existence must be a number"),
            ({"size": None}, r"size must be \[height, width\]"),
            ({"size": [4, 5.0]}, r"size must be \[height, width\]"),
            ({"size": [0, 5]}, r"size must be \[height, width\]"),
        ],
    )
    def test_errors_name_the_key(self, changes, message):
        with pytest.raises(GeometryError, match=message):
            check_prediction(record(**changes))

    def test_the_merged_mask_is_named_first(self):
        broken = rle_of([19], (4, 5))
        with pytest.raises(GeometryError, match=r"^merged_mask"):
            check_prediction(record(merged_mask=broken, masks=[broken]))

    def test_missing_keys_and_other_values_raise(self):
        with pytest.raises(GeometryError, match="must have the key 'scores'"):
            check_prediction({k: v for k, v in record().items() if k != "scores"})
        with pytest.raises(GeometryError, match="must be an object, got list"):
            check_prediction([])
