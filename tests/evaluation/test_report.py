"""`metrics.json` and the printed table."""

from __future__ import annotations

import json

import pytest

from vgtoolbox.evaluation import GRESMetric, format_metric_table, write_metric_report

SPLITS = {"val": {"gres/gIoU": 61.234, "gres/N-acc": 100.0}, "refcoco_val": {"rec/Acc@0.5": 75.0}}


def write(path, splits=SPLITS):
    return write_metric_report(
        path,
        config="configs/gres/a.py",
        checkpoint="a.pth",
        protocol={"gres": GRESMetric().settings},
        splits=splits,
        samples=512,
        seconds=1.23456,
    )


def test_the_file_has_exactly_the_keys_of_the_schema(tmp_path):
    path = tmp_path / "run" / "metrics.json"
    report = write(path)
    assert json.loads(path.read_text()) == report
    assert report == {
        "config": "configs/gres/a.py",
        "checkpoint": "a.pth",
        "protocol": {"gres": GRESMetric().settings},
        "splits": SPLITS,
        "samples": 512,
        "seconds": 1.235,
    }


def test_a_value_that_is_not_finite_is_rejected(tmp_path):
    path = tmp_path / "metrics.json"
    with pytest.raises(ValueError, match="not JSON compliant"):
        write(path, {"val": {"gres/gIoU": float("nan")}})
    assert not path.exists()


def test_the_table_has_one_row_per_value_and_one_column_per_split():
    table = format_metric_table(SPLITS, title="InstanceVG")
    lines = [line.replace("│", " ").split() for line in table.splitlines()]
    assert ["InstanceVG"] in lines
    assert ["gres/gIoU", "61.23", "-"] in lines
    assert ["gres/N-acc", "100.00", "-"] in lines
    assert ["rec/Acc@0.5", "-", "75.00"] in lines


def test_the_table_without_splits_has_a_header():
    assert "metric (%)" in format_metric_table({})


def test_the_table_lists_the_options_behind_the_values():
    protocol = {"gres": GRESMetric(protocol="gsva", frame="input").settings}
    text = format_metric_table(SPLITS, protocol=protocol, width=200)
    assert "gres: frame=input, protocol=gsva, accept=decision" in text
    assert "protocol" not in format_metric_table(SPLITS)
