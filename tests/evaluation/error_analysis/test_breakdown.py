"""Breakdown of error types by properties of the samples."""

from __future__ import annotations

from vgtoolbox.evaluation import ErrorType, error_breakdown


def test_breakdown_counts_error_types_by_property(results):
    breakdown = error_breakdown(results)
    assert breakdown["all"]["all"].total() == 5
    by_targets = breakdown["number of targets"]
    assert {kind: count.total() for kind, count in by_targets.items()} == {"0": 2, "1": 2, "2": 1}
    assert by_targets["0"] == {ErrorType.CORRECT: 1, ErrorType.HALLUCINATED: 1}
    assert by_targets["2"] == {ErrorType.MISSED: 1}
    sizes = breakdown["smallest target, of the image"]
    assert {kind: count.total() for kind, count in sizes.items()} == {"5 to 20 %": 3}
    lengths = {k: c.total() for k, c in breakdown["length of the expression"].items()}
    assert lengths == {"1 to 3 words": 4, "7 to 10 words": 1}
    words = {kind: count.total() for kind, count in breakdown["words for"].items()}
    assert words == {"position": 1, "color": 1, "number": 2, "none": 2}


def test_a_breakdown_without_samples_is_empty():
    assert error_breakdown([])["all"] == {}
