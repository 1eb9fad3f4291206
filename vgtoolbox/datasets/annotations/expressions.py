"""Check the expressions of an annotation."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from vgtoolbox.datasets.annotations.annotation_files import FieldError
from vgtoolbox.utils.text import check_encodable, has_words, is_visible


def check_expressions(texts: Iterable[str], cleaning: Callable[[str], str] | None = None) -> None:
    """Raise unless all expressions can be encoded, as tokenizers require, and have words.

    Args:
        texts: Expressions.
        cleaning: Cleaning before the tokenizer, after which something must remain. If `None`, an
            expression may be empty.

    Raises:
        FieldError: An expression has half a character, a lone surrogate, or is empty once cleaned.
    """
    for text in texts:
        if not text.isascii():
            try:
                check_encodable(text, "the expression")
            except ValueError as error:
                raise FieldError(str(error)) from None
        if text[:1].isalnum() or cleaning is None or has_words(text):
            continue
        if not is_visible(cleaning(text)):
            raise FieldError(
                f"the expression must have words, got {text!r:.80}, which is empty after cleaning"
            )
