"""Check the expressions of an annotation."""

from __future__ import annotations

from collections.abc import Iterable

from vgtoolbox.datasets.annotations.annotation_files import FieldError
from vgtoolbox.utils.text import check_encodable


def check_expressions(texts: Iterable[str]) -> None:
    """Raise unless all expressions can be encoded, as tokenizers require.

    Raises:
        FieldError: An expression has half a character, a lone surrogate.
    """
    for text in texts:
        if not text.isascii():
            try:
                check_encodable(text, "the expression")
            except ValueError as error:
                raise FieldError(str(error)) from None
