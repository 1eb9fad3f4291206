import base64
import io

import numpy as np
import pytest
from PIL import Image

from vgtoolbox.datasets.annotations.annotation_files import FieldError
from vgtoolbox.datasets.annotations.labelme_shapes import paint_shapes
from vgtoolbox.structures import decode_masks, rle_areas

SIZE = (48, 64)


def _shape(kind, *points, label="target", **keys):
    return {"label": label, "points": [list(p) for p in points], "shape_type": kind, **keys}


def _mask(*shapes):
    target, _ = paint_shapes(list(shapes), SIZE)
    return decode_masks([target["segmentation"]])[0].numpy()


def _png(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


@pytest.mark.parametrize(
    "shape",
    [
        _shape("rectangle", (8, 8), (24, 20)),
        _shape("rectangle", (24, 8), (8, 20)),
        _shape("rectangle", (8, 8), (24, 8), (24, 20), (8, 20)),
        _shape("rotation", (8, 8), (24, 8), (24, 20), (8, 20)),
        _shape(None, (8, 8), (24, 8), (24, 20), (8, 20)),
    ],
)
def test_rectangles_include_their_outline(shape):
    expected = np.zeros(SIZE, bool)
    expected[8:21, 8:25] = True
    assert (_mask(shape) == expected).all()


def test_circle_has_its_radius():
    mask = _mask(_shape("circle", (30, 20), (30, 30)))
    rows, columns = np.nonzero(mask)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (10, 30, 20, 40)
    assert np.hypot(rows - 20, columns - 30).max() <= 10
    assert len(rows) == 317  # points of a grid within 10 of one of them (Gauss circle problem)


def test_circle_beyond_the_border_is_cut():
    assert _mask(_shape("circle", (0, 0), (9e4, 9e4))).all()
    assert paint_shapes([_shape("circle", (-50, -50), (-60, -50))], SIZE) == (None, None)


@pytest.mark.parametrize("dtype", [bool, np.uint8])
def test_mask_is_placed_at_its_first_point(dtype):
    pixels = np.zeros((6, 5), dtype)
    pixels[1:4, 2:5] = 1
    mask = _mask(_shape("mask", (10, 20), (14, 25), mask=_png(pixels)))
    expected = np.zeros(SIZE, bool)
    expected[21:24, 12:15] = True
    assert (mask == expected).all()


def test_mask_beyond_the_border_is_cut():
    mask = _mask(_shape("mask", (-2, 45), (2, 50), mask=_png(np.ones((6, 5), bool))))
    expected = np.zeros(SIZE, bool)
    expected[45:, :3] = True
    assert (mask == expected).all()


def test_smaller_mask_is_painted_over_a_larger_rectangle():
    ignored = _shape("mask", (10, 10), (12, 12), label="ignore", mask=_png(np.ones((3, 3), bool)))
    target, ignore = paint_shapes([ignored, _shape("rectangle", (8, 8), (24, 20))], SIZE)
    assert rle_areas([target["segmentation"], ignore]).tolist() == [221 - 9, 9]


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (_shape("line", (8, 8), (24, 20)), "shape 0: the key 'shape_type' .* got 'line'"),
        (_shape("linestrip", (8, 8), (24, 20), (3, 3)), "got 'linestrip'"),
        (_shape("point", (8, 8)), "got 'point'"),
        (_shape("points", (8, 8), (9, 9)), "got 'points'"),
        (_shape("cuboid", (8, 8), (9, 9)), "got 'cuboid'; draw the area as a polygon"),
        (_shape(3, (8, 8), (9, 9)), "'shape_type' must be str"),
        (_shape("rectangle", (8, 8)), r"\(shape_type 'rectangle'\).* must be 2 points"),
        (_shape("circle", (8, 8), (9, 9), (1, 1)), r"\(shape_type 'circle'\).* must be 2 points"),
        (_shape("mask", (8, 8), (9, 9)), "'mask' is missing"),
        (_shape("mask", (8, 8), (9, 9), mask="%%"), "'mask' must be a PNG image"),
        (
            _shape("mask", (8, 8), (9, 9), mask=_png(np.ones((6, 5), bool))),
            r"as large as its points say, 2 x 2 \(width x height\).*got 5 x 6",
        ),
        (
            _shape("mask", (0, 0), (999, 999), mask=_png(np.ones((1000, 1000), bool))),
            "within an image of 64 x 48, got 1000 x 1000",
        ),
        (_shape("circle", (8, 8), (float("nan"), 9)), "must be pixel coordinates"),
    ],
)
def test_shapes_without_a_clear_area_are_rejected(shape, message):
    with pytest.raises(FieldError, match=message):
        paint_shapes([shape], SIZE)
