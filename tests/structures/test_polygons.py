"""Polygons are checked before pycocotools fills them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vgtoolbox.structures import (
    GeometryError,
    check_polygons,
    decode_masks,
    rle_areas,
    segmentation_to_rle,
)

NAN, INF = math.nan, math.inf
SQUARE = [2, 2, 12, 2, 12, 12, 2, 12]


class TestPolygons:
    def test_unusable_parts_are_dropped(self):
        parts = [SQUARE, [30, 30, 31, 31], [*SQUARE, 3], [], SQUARE]
        assert check_polygons(parts, (48, 64)) == ([SQUARE, SQUARE], [1, 2, 3])
        whole = segmentation_to_rle([SQUARE], (48, 64))
        with pytest.warns(UserWarning, match="dropped 3 of 5 polygons"):
            assert segmentation_to_rle(parts, (48, 64)) == whole

    @pytest.mark.parametrize(
        ("polygons", "message"),
        [
            ([[0, 0, 1e9, 0, 9, 9]], r"inside the image .* point \(1000000000.0, 0\)"),
            ([SQUARE, [0, 0, 1e5, 0, 9, 9]], r"polygon 1, must be inside.* \(100000.0, 0\)"),
            ([[0, 0, -20, 0, 9, 9]], r"width 64 and height 48, got the point \(-20, 0\)"),
            ([[0, 0, 9, 48 + 9, 9, 9]], r"got the point \(9, 57\)"),
            ([[0, 0, 10**400, 0, 9, 9]], "must be inside the image|all finite"),
            ([[0.5, 0, 10**400, 0, 9, 9]], "must be numbers, all finite"),
            ([[NAN, 8, 24, 8, 24, 20]], r"polygon 0, must be numbers, all finite, got \[nan"),
            ([SQUARE, [8, 8, 24, NAN, 24, 20]], "polygon 1, must be numbers, all finite"),
            ([[INF, 8, 24, 8, 24, 20]], "all finite"),
            ([[-INF, 8, INF, 8, 24, 20]], "all finite"),
            ([[NAN, NAN]], "all finite"),
            ([["1", 2, 3, 4, 5, 6]], "must be numbers"),
            ([[True, 2, 3, 4, 5, 6]], "must be numbers"),
            ([[[1, 2], [3, 4], [5, 6]]], "must be numbers"),
            ([None], "must be a list"),
            (["123456"], "must be a list"),
            ([[1, 2, 3, 4]], r"at least 3 points .* got 4 numbers: \[1, 2, 3, 4\]"),
            ([[], []], "at least 3 points .* got 0 numbers"),
            (SQUARE, "polygon 0, must be a list"),
            ("polygons", "must be a list of polygons"),
            (None, "must be a list of polygons"),
        ],
    )
    def test_invalid_polygons_raise(self, polygons, message):
        with pytest.raises(GeometryError, match=message):
            check_polygons(polygons, (48, 64))
        with pytest.raises(GeometryError, match=message):
            segmentation_to_rle(polygons, (48, 64))

    @given(
        st.lists(st.floats(-8, 56), min_size=3, max_size=9),
        st.lists(st.floats(-8, 28), min_size=3, max_size=9),
    )
    def test_points_near_the_image_are_clipped(self, xs, ys):
        polygon = [v for pair in zip(xs, ys, strict=False) for v in pair]
        rle = segmentation_to_rle([polygon], (20, 48))
        assert decode_masks([rle]).shape == (1, 20, 48)

    @settings(max_examples=200)
    @given(
        st.lists(
            st.one_of(
                st.integers(-10, 60), st.floats(), st.sampled_from([1e9, -1e9, 2**40, 10**400])
            ),
            max_size=10,
        )
    )
    def test_any_polygon_is_filled_or_refused(self, polygon):
        limits = (48, 64)
        is_near = (
            len(polygon) >= 6
            and len(polygon) % 2 == 0
            and all(-8 <= v <= limits[1 - i % 2] + 8 for i, v in enumerate(polygon))
        )
        if is_near:
            assert check_polygons([polygon], limits) == ([polygon], [])
            segmentation_to_rle([polygon], limits)
        else:
            with pytest.raises(GeometryError):
                segmentation_to_rle([polygon], limits)

    def test_the_overhang_can_be_chosen(self):
        far = [[0, 0, 80, 0, 80, 40, 0, 40]]
        with pytest.raises(GeometryError, match="up to 8 px"):
            segmentation_to_rle(far, (48, 64))
        rle = segmentation_to_rle(far, (48, 64), max_overhang=16)
        assert rle_areas([rle]).tolist() == [40 * 64]
