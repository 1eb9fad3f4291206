"""Table and plot of an error breakdown."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from vgtoolbox.evaluation import ErrorType, error_breakdown, error_table, plot_errors
from vgtoolbox.evaluation.error_analysis.report import error_shares


def test_shares_add_up_to_100(results):
    shares = error_shares(error_breakdown(results)["all"]["all"])
    assert sum(shares.values()) == pytest.approx(100)
    assert shares[ErrorType.CORRECT] == 40.0


def test_the_report_names_every_property(results, tmp_path):
    console = Console(file=io.StringIO(), width=200)
    console.print(error_table(error_breakdown(results), title="test"))
    text = console.file.getvalue()
    for word in ("hallucinated", "7 to 10 words", "40.0", "color"):
        assert word in text
    path = tmp_path / "deep" / "errors.png"
    plot_errors(error_breakdown(results), path, title="test")
    assert path.read_bytes().startswith(b"\x89PNG")
