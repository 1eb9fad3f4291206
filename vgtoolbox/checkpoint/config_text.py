"""Write configs as Python source, and read them without executing it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from pprint import pformat
from typing import Any


class ConfigTextError(ValueError):
    """The text contains more than assignments of plain values."""


def write_config_text(config: Mapping[str, Any]) -> str:
    """Return the source of a resolved config of plain values, with keys in their original order.

    `pretty_text` of mmengine sorts the keys, and thereby the named steps of a pipeline.
    """
    lines = (
        f"{key} = {pformat(value, width=100, sort_dicts=False)}" for key, value in config.items()
    )
    return "\n".join(lines) + "\n"


def read_config_text(text: str) -> dict[str, Any]:
    """Read the source of a resolved config: assignments of literals and `dict(...)` calls.

    A resolved config needs nothing else, and a file from an unknown source must not run code.
    Therefore the text is parsed, not executed.

    Raises:
        ConfigTextError: The text contains anything else, or is not valid Python; the message names
            the line.
    """
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        # A ValueError means half a character; the parser of deeply nested text raises the others.
        problem = str(error) or "it is nested too deeply"
        raise ConfigTextError(f"the config text is not valid Python: {problem}") from None
    try:
        return _assignments(statements)
    except RecursionError:
        raise ConfigTextError("the config text is nested too deeply") from None


def _assignments(statements: Iterable[ast.stmt]) -> dict[str, Any]:
    """Return the assigned values by name."""
    config = {}
    for statement in statements:
        if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
            raise ConfigTextError(_refusal(statement))
        config[statement.targets[0].id] = _value(statement.value)
    return config


def _value(node: ast.expr) -> Any:
    """Return the value of a literal, or of a `dict(...)` call with such values."""
    if isinstance(node, ast.Call):
        return _dict_call(node)
    if isinstance(node, ast.Dict):
        if None in node.keys:
            raise ConfigTextError(_refusal(node))
        keys = [_value(key) for key in node.keys if key is not None]
        return dict(zip(keys, map(_value, node.values), strict=True))
    if isinstance(node, ast.List):
        return [_value(item) for item in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_value(item) for item in node.elts)
    try:
        return ast.literal_eval(node)
    except ValueError as error:
        raise ConfigTextError(_refusal(node)) from error


def _dict_call(node: ast.Call) -> dict[str, Any]:
    """Return the value of `dict(a=1)`, or of `dict({'no-name': 1})` of mmengine."""
    values = [_value(argument) for argument in node.args]
    named = {keyword.arg: _value(keyword.value) for keyword in node.keywords if keyword.arg}
    is_dict = isinstance(node.func, ast.Name) and node.func.id == "dict"
    if (
        not is_dict
        or len(named) < len(node.keywords)
        or len(values) > 1
        or not all(isinstance(value, dict) for value in values)
    ):
        raise ConfigTextError(_refusal(node))
    return {**(values[0] if values else {}), **named}


def _refusal(node: ast.AST) -> str:
    line = getattr(node, "lineno", "?")
    return (
        f"line {line} of the config text must be an assignment of plain values and dict(...), got "
        f"{ast.unparse(node)[:60]!r}; write the resolved config"
    )
