import numpy as np
import pytest

from vgtoolbox.visualization import Overlay, prediction_panel, target_panel
from vgtoolbox.visualization.palette import INCORRECT_COLOR

SIZE = (400, 500)


def test_text_is_above_and_below_the_image(image, make_record):
    panel = prediction_panel(image, make_record(), score_thr=0.7)
    assert panel.shape[1] == SIZE[1]
    extra = panel.shape[0] - SIZE[0]
    assert 30 < extra < 120
    assert (panel[0] == 255).all()
    assert (panel[-1] == 255).all()


def test_no_target_has_a_colored_bar(image, make_record):
    panel = prediction_panel(image, make_record(no_target=True, existence=0.02), score_thr=0.7)
    assert (panel[-1] == INCORRECT_COLOR).all()
    assert (panel[-15:] == 255).all(-1).any()  # white text on the bar
    found = prediction_panel(image, make_record(), score_thr=0.7)
    assert not (found[-1] == INCORRECT_COLOR).all()


@pytest.mark.parametrize("expression", ["斑马 ζέβρα зебра 🦓 “x”", "zebra " * 500, "x" * 3000, ""])
def test_any_expression_fits_the_width(image, make_record, expression):
    panel = prediction_panel(image, make_record(expression=expression), score_thr=0.7)
    assert panel.shape[1] == SIZE[1]


def test_long_expressions_do_not_change_the_image(image, make_record):
    short, long = (
        prediction_panel(image, make_record(expression=text), score_thr=0.7)
        for text in ("zebra", "zebra " * 500)
    )
    grown = long.shape[0] - short.shape[0]
    assert grown > 500
    below = 30  # the summary bar and the lower edge of the image
    assert (long[-below - 300 :] == short[-below - 300 :]).all()


def test_ground_truth_has_no_scores(image, targets, no_targets):
    some = target_panel(image, Overlay.from_targets(targets, SIZE), expression="both")
    none = target_panel(image, Overlay.from_targets(no_targets, SIZE), expression="both")
    assert some.shape == none.shape
    assert (none[-1] == INCORRECT_COLOR).all()
    assert not np.array_equal(some, none)
