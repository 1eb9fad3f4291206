import json

import pytest
from PIL import Image

from vgtoolbox.visualization.run_curves import (
    Curve,
    choose_names,
    draw_curves,
    lower_is_better,
    read_curves,
)


@pytest.fixture
def work_dir(tmp_path):
    """Return the work dir of a run that was resumed at step 30 with other values."""

    def write(start, rows):
        log = tmp_path / start / "vis_data" / "scalars.json"
        log.parent.mkdir(parents=True)
        log.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return log

    first = [{"loss": 9.0 - step / 10, "iter": step, "step": step} for step in (10, 20, 30, 40)]
    write("20260101_000000", [*first, {"gres/gIoU": 20.0, "step": 1}])
    resumed = [{"loss": value, "step": step} for step, value in ((30, 1.0), (40, 2.0))]
    log = write("20260102_000000", [*resumed, {"gres/gIoU": 30.0, "step": 2}])
    with log.open("a") as file:
        file.write('{"loss": 3.0, "st')  # the run was killed while it wrote
    return tmp_path


def test_resumed_part_replaces_repeated_steps(work_dir):
    curves = read_curves(work_dir)
    assert curves["loss"] == Curve([10, 20, 30, 40], [8.0, 7.0, 1.0, 2.0])
    assert curves["gres/gIoU"] == Curve([1, 2], [20.0, 30.0])
    assert set(curves) == {"loss", "gres/gIoU"}


def test_folder_of_a_single_start(work_dir):
    assert read_curves(work_dir / "20260101_000000")["loss"].values == [8.0, 7.0, 6.0, 5.0]


def test_best_point_is_the_first_of_equal_ones():
    curve = Curve([1, 2, 3, 4], [5.0, 1.0, 5.0, 1.0])
    assert curve.best(smallest=True) == (2, 1.0)
    assert curve.best(smallest=False) == (1, 5.0)


@pytest.mark.parametrize(("name", "smaller"), [("d0.loss_l1", True), ("gres/gIoU", False)])
def test_lower_is_better_for_losses_but_not_for_metrics(name, smaller):
    assert lower_is_better(name) is smaller


def test_names_by_pattern():
    curves = dict.fromkeys(["loss", "loss_a", "gres/gIoU"], Curve())
    assert choose_names(curves, ["gres/*", "loss", "loss*"]) == ["gres/gIoU", "loss", "loss_a"]
    with pytest.raises(ValueError, match=r"must match one of loss, loss_a, .*, got 'los'"):
        choose_names(curves, ["los"])


def test_missing_and_broken_logs(work_dir, tmp_path_factory):
    with pytest.raises(FileNotFoundError, match="must be the work dir of a training run"):
        read_curves(tmp_path_factory.mktemp("empty"))
    log = next(work_dir.glob("20260101*/vis_data/scalars.json"))
    log.write_text("broken\n" + log.read_text())
    with pytest.raises(ValueError, match="line 1 is not JSON"):
        read_curves(work_dir)


def test_draws_one_plot_per_name(work_dir, tmp_path):
    curves = read_curves(work_dir)
    draw_curves(
        {"a": curves, "b": {"loss": curves["loss"]}}, list(curves), tmp_path / "x" / "c.png"
    )
    assert Image.open(tmp_path / "x" / "c.png").width == 990
