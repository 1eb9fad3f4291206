"""Fill the fields of a text template, and nothing else.

`str.format` also reads attributes of its arguments and pads to any width, so that a template from
an untrusted config could read memory or fill it.
"""

from __future__ import annotations

import re

_FIELD = re.compile(r"\{\{|\}\}|\{(\w+)\}")


def fill_template(template: str, **fields: str) -> str:
    """Return a text with each `{name}` replaced, and with `{{` and `}}` as single braces.

    Args:
        template: Text with fields.
        **fields: Texts by name.

    Raises:
        ValueError: The template has a field without a text.
    """

    def replaced(match: re.Match[str]) -> str:
        name = match[1]
        if name is None:
            return match[0][0]
        if name not in fields:
            known = ", ".join(f"{{{field}}}" for field in fields)
            raise ValueError(f"a template must have the fields {known} only, got {{{name}}}")
        return fields[name]

    return _FIELD.sub(replaced, template)
