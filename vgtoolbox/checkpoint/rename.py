"""Bidirectional renaming of state-dict keys by a table."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PLACEHOLDERS = {"i": r"\d+", "j": r"\d+", "rest": r".+"}


class RenameTable:
    """Table of (published, ours) key templates.

    A template may contain `{i}` and `{j}` (a number) and `{rest}` (anything); both sides of a row
    have the same placeholders. The first row that matches is used.

    Args:
        rows: Rows of the table.
        name: Name of the published layout in errors.
    """

    def __init__(
        self, rows: Iterable[tuple[str, str]], *, name: str = "the published layout"
    ) -> None:
        self.name = name
        self._rows = [(_compile(a), a, _compile(b), b) for a, b in rows]

    def to_ours(self, key: str) -> str | None:
        """Return our name of a published key, or `None` if no row matches."""
        for published, _, _, ours in self._rows:
            if match := published.fullmatch(key):
                return ours.format(**match.groupdict())
        return None

    def to_published(self, key: str) -> str | None:
        """Return the published name of one of our keys, or `None` if no row matches."""
        for _, published, ours, _ in self._rows:
            if match := ours.fullmatch(key):
                return published.format(**match.groupdict())
        return None

    def our_name(self, key: str) -> str:
        """Return our name of a published key.

        Raises:
            ValueError: No row matches.
        """
        name = self.to_ours(key)
        if name is None:
            raise ValueError(f"{key} is not a key of {self.name}")
        return name

    def published_name(self, key: str) -> str:
        """Return the published name of one of our keys.

        Raises:
            ValueError: No row matches.
        """
        name = self.to_published(key)
        if name is None:
            raise ValueError(f"{key} has no counterpart in {self.name}")
        return name


def _compile(template: str) -> re.Pattern[str]:
    """Convert a template to a regular expression with one named group per placeholder."""
    parts = re.split(r"\{(\w+)\}", template)
    return re.compile(
        "".join(
            f"(?P<{part}>{_PLACEHOLDERS[part]})" if index % 2 else re.escape(part)
            for index, part in enumerate(parts)
        )
    )
