import numpy as np
import pytest
import torch

from vgtoolbox.shapes.annotations import encode_mask, polygon_iou, trace_polygons
from vgtoolbox.shapes.scales import SCALES
from vgtoolbox.structures import decode_masks, segmentation_to_rle


def read_back(segmentation, mask: np.ndarray) -> np.ndarray:
    return decode_masks([segmentation_to_rle(segmentation, mask.shape)])[0].numpy()


def box_mask(*boxes) -> np.ndarray:
    mask = np.zeros((40, 60), bool)
    for x0, y0, x1, y1 in boxes:
        mask[y0:y1, x0:x1] = True
    return mask


@pytest.mark.parametrize("scale", list(SCALES))
def test_segmentations_reproduce_the_rendered_masks(draw_scene, scale: str) -> None:
    for seed in range(8):
        for mask in draw_scene(scale, seed).masks:
            segmentation = encode_mask(mask)
            drawn = read_back(segmentation, mask)
            iou = (drawn & mask).sum() / (drawn | mask).sum()
            assert iou == 1 if isinstance(segmentation, dict) else iou >= 0.97


def test_a_rectangle_becomes_one_polygon_of_four_corners() -> None:
    mask = box_mask((10, 5, 30, 25))
    (polygon,) = encode_mask(mask)
    assert len(polygon) == 8
    assert np.array_equal(read_back([polygon], mask), mask)


def test_disconnected_parts_become_polygons_of_one_annotation() -> None:
    mask = box_mask((2, 2, 22, 22), (30, 10, 55, 35))
    assert len(encode_mask(mask)) == 2


@pytest.mark.parametrize("hole", [(15, 10, 20, 15), (11, 6, 29, 24)])
def test_a_mask_with_a_hole_becomes_rle(hole) -> None:
    mask = box_mask((10, 5, 30, 25)) & ~box_mask(hole)
    assert trace_polygons(mask, tolerance=0.3) == []
    segmentation = encode_mask(mask)
    assert isinstance(segmentation["counts"], str)
    assert np.array_equal(read_back(segmentation, mask), mask)


@pytest.mark.parametrize("box", [(3, 4, 4, 5), (0, 0, 60, 1), (59, 0, 60, 40)])
def test_thin_masks_are_exact(box) -> None:
    mask = box_mask(box)
    assert np.array_equal(read_back(encode_mask(mask), mask), mask)


def test_polygon_iou_of_half_a_rectangle() -> None:
    polygon = [[10.0, 5.0, 30.0, 5.0, 30.0, 15.0, 10.0, 15.0]]
    assert polygon_iou(polygon, box_mask((10, 5, 30, 25))) == 0.5
    assert torch.is_tensor(decode_masks([segmentation_to_rle(polygon, (40, 60))]))
