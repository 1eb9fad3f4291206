import numpy as np
import pytest
import torch

from vgtoolbox.structures import encode_masks
from vgtoolbox.visualization import SheetEntry, draw_contact_sheet
from vgtoolbox.visualization.palette import CORRECT_COLOR, INCORRECT_COLOR

SIZE = (400, 500)


@pytest.fixture
def entry(image, targets, make_record):
    return SheetEntry(image, targets, make_record())


def has_bar(sheet, color):
    """Return whether there is a bar of that color; objects of the color are narrower."""
    return (sheet == color).all(-1).sum(1).max() > 400


class TestIoU:
    def test_equal_masks(self, entry):
        assert entry.iou == 1
        assert entry.is_correct()

    def test_hand_computed_iou(self, image, targets, make_record, rectangles):
        # The targets have 100 * 100 + 100 * 150 pixels; only the first is found.
        entry = SheetEntry(image, targets, make_record(merged_mask=rectangles[0]))
        assert entry.iou == pytest.approx(10000 / 25000)
        assert not entry.is_correct()
        assert entry.is_correct(iou_thr=0.4)

    def test_no_target(self, image, targets, no_targets, make_record):
        found, nothing = make_record(), make_record(no_target=True)
        assert SheetEntry(image, no_targets, nothing).is_correct()
        assert not SheetEntry(image, no_targets, found).is_correct()
        assert not SheetEntry(image, targets, nothing).is_correct()

    def test_empty_mask_is_incorrect(self, image, targets, make_record):
        empty = encode_masks(torch.zeros((1, *SIZE), dtype=torch.bool))[0]
        assert SheetEntry(image, targets, make_record(merged_mask=empty)).iou == 0

    def test_best_box_without_a_mask(self, image, targets, make_record):
        # The box with the highest score covers half of the first target's box.
        boxes = [[300, 0, 310, 10], [50, 100, 100, 200]]
        record = make_record(boxes_xyxy=boxes, merged_mask=None, masks=[], scores=[0.2, 0.9])
        assert SheetEntry(image, targets, record).iou == pytest.approx(0.5)
        none = make_record(boxes_xyxy=[], merged_mask=None, masks=[], scores=[])
        assert SheetEntry(image, targets, none).iou == 0


class TestSheet:
    def test_marks_correct_and_incorrect(self, entry, image, targets, make_record):
        wrong = SheetEntry(image, targets, make_record(no_target=True))
        right, both = draw_contact_sheet([entry]), draw_contact_sheet([entry, wrong])
        assert has_bar(right, CORRECT_COLOR)
        assert not has_bar(right, INCORRECT_COLOR)
        assert has_bar(both, CORRECT_COLOR)
        assert has_bar(both, INCORRECT_COLOR)

    @pytest.mark.parametrize(("count", "columns", "rows"), [(1, 4, 1), (4, 4, 1), (5, 4, 2)])
    def test_number_of_rows(self, entry, count, columns, rows):
        sheet = draw_contact_sheet([entry] * count, columns=columns, side=64)
        cell = draw_contact_sheet([entry], side=64)
        assert sheet.shape[0] > rows * 64
        assert sheet.shape[0] < (rows + 1) * cell.shape[0]
        assert sheet.shape[1] > min(count, columns) * 2 * 64

    def test_cells_have_the_same_height_for_any_expression(
        self, entry, image, targets, make_record
    ):
        long = SheetEntry(image, targets, make_record(expression="the rectangle " * 60))
        one, two = draw_contact_sheet([entry]), draw_contact_sheet([long])
        assert one.shape == two.shape

    def test_image_of_one_pixel(self, entry, no_targets, make_record):
        record = make_record(no_target=True, size=[1, 1])
        pixel = SheetEntry(np.zeros((1, 1, 3), np.uint8), no_targets, record)
        assert draw_contact_sheet([entry, pixel]).dtype == np.uint8

    def test_is_deterministic(self, entry):
        assert np.array_equal(draw_contact_sheet([entry] * 3), draw_contact_sheet([entry] * 3))

    def test_no_entries(self):
        with pytest.raises(ValueError, match="at least one prediction, got none"):
            draw_contact_sheet([])
