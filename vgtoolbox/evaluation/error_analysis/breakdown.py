"""Count error types by properties of the samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from vgtoolbox.evaluation.error_analysis.error_types import ErrorType
from vgtoolbox.evaluation.error_analysis.sample_results import SampleResult
from vgtoolbox.evaluation.error_analysis.words import (
    WORD_CATEGORIES,
    expression_words,
    word_categories,
)

ErrorBreakdown = dict[str, dict[str, Counter[ErrorType]]]
"""Counts of error types by property ("number of targets") and its value ("3 or more")."""

_Property = tuple[Sequence[str], Callable[[SampleResult], Iterable[str]]]


def _bin_by(edges: Sequence[float], names: Sequence[str]) -> Callable[[float], str]:
    """Return a function from a number to the name of its bin; an edge belongs to the upper bin."""
    return lambda value: names[sum(value >= edge for edge in edges)]


_TARGETS = ("0", "1", "2", "3 or more")
_SIZES = ("under 1 %", "1 to 5 %", "5 to 20 %", "over 20 %")
_LENGTHS = ("1 to 3 words", "4 to 6 words", "7 to 10 words", "over 10 words")
_size_bin = _bin_by((0.01, 0.05, 0.2), _SIZES)
_length_bin = _bin_by((4, 7, 11), _LENGTHS)

_PROPERTIES: Mapping[str, _Property] = {
    "all": (("all",), lambda _: ["all"]),
    "number of targets": (_TARGETS, lambda result: [_TARGETS[min(result.targets, 3)]]),
    "smallest target, of the image": (
        _SIZES,
        lambda r: [] if r.smallest_target is None else [_size_bin(r.smallest_target)],
    ),
    "length of the expression": (
        _LENGTHS,
        lambda result: [_length_bin(len(expression_words(result.expression)))],
    ),
    "words for": ((*WORD_CATEGORIES, "none"), lambda result: word_categories(result.expression)),
}


def error_breakdown(results: Iterable[SampleResult]) -> ErrorBreakdown:
    """Count the error types of samples by the values of each property.

    An expression with words of two categories counts in both. Values without samples are omitted.
    """
    results = list(results)
    breakdown: ErrorBreakdown = {}
    for name, (values, values_of) in _PROPERTIES.items():
        counts: dict[str, Counter[ErrorType]] = {value: Counter() for value in values}
        for result in results:
            for value in values_of(result):
                counts[value][result.error_type] += 1
        breakdown[name] = {value: count for value, count in counts.items() if count}
    return breakdown
