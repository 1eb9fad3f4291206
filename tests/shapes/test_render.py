import numpy as np
import pytest

from vgtoolbox.shapes.attributes import COLORS, SHAPES
from vgtoolbox.shapes.render import render_scene, unit_outlines
from vgtoolbox.shapes.scales import SCALES
from vgtoolbox.shapes.scene import ObjectLayout, SceneLayout


def layout(*objects: ObjectLayout) -> SceneLayout:
    return SceneLayout(height=80, width=100, objects=objects)


def square(center_xy, diameter: float = 30, color: str = "red") -> ObjectLayout:
    return ObjectLayout(
        shape="square",
        color=color,
        size="small",
        texture="solid",
        center_xy=center_xy,
        diameter=diameter,
        angle=0.0,
    )


@pytest.mark.parametrize("scale", list(SCALES))
def test_masks_are_disjoint_and_geometry_is_measured_on_them(draw_scene, scale: str) -> None:
    for seed in range(8):
        rendered = draw_scene(scale, seed)
        assert rendered.image.dtype == np.uint8
        assert rendered.image.shape == (*rendered.masks.shape[1:], 3)
        assert rendered.masks.sum(0).max() == 1
        for item, mask in zip(rendered.scene.objects, rendered.masks, strict=True):
            ys, xs = np.nonzero(mask)
            x, y, w, h = item.box_xywh
            assert (xs.min(), xs.max() + 1) == (x, x + w)
            assert (ys.min(), ys.max() + 1) == (y, y + h)
            assert item.visible_area == mask.sum() <= item.full_area


def test_square_covers_the_expected_pixels() -> None:
    """Side 0.88 * 50 = 44 about (50, 40): columns 28..71 and rows 18..61."""
    rendered = render_scene(np.random.default_rng(0), layout(square((50, 40), 50)), SCALES["tiny"])
    assert rendered.scene.objects[0].box_xywh == (28, 18, 44, 44)
    assert rendered.scene.objects[0].visible_area == 44 * 44


def test_later_objects_cover_earlier_ones() -> None:
    objects = layout(square((40, 40)), square((50, 40), color="blue"))
    below, above = render_scene(np.random.default_rng(0), objects, SCALES["tiny"]).scene.objects
    assert above.visible_area == above.full_area
    assert below.visible_area == pytest.approx(below.full_area * 10 / 26.4, rel=0.15)


def test_rendered_color_is_nearest_to_the_color_word() -> None:
    for color, rgb in COLORS.items():
        rendered = render_scene(
            np.random.default_rng(1), layout(square((50, 40), color=color)), SCALES["tiny"]
        )
        drawn = rendered.image[rendered.masks[0]].mean(0)
        distances = {name: np.abs(drawn - value).sum() for name, value in COLORS.items()}
        assert min(distances, key=distances.get) == color, (drawn, rgb)


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_fill_their_square_and_are_mirror_symmetric(shape: str) -> None:
    outer = unit_outlines(shape)[0]
    assert 0.6 <= np.abs(outer).max() <= 1.15
    flipped = outer * (-1, 1)
    nearest = np.linalg.norm(flipped[:, None] - outer[None], axis=2).min(1)
    assert nearest.max() < 0.08
