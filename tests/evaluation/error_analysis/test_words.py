"""Words of expressions and their categories."""

from __future__ import annotations

from vgtoolbox.evaluation.error_analysis.words import expression_words, word_categories


def test_word_categories_of_expressions():
    assert expression_words("The man's LEFT hand, (2nd)") == ["the", "man's", "left", "hand", "2nd"]
    assert word_categories("The man's LEFT hand, (2nd)") == ["position", "number"]
    assert word_categories("redder") == ["none"]
    assert word_categories("") == ["none"]
