"""Find the weights in the content of a checkpoint file.

A file may contain the weights themselves, or dictionaries such as `{"model": weights, "epoch": 3}`,
also nested, also with averaged weights next to the trained ones. The rule: trained weights are
loaded, averaged ones (EMA) only if there are no others or if they are chosen, and a file with
several candidates is an error that lists them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from vgtoolbox.checkpoint.errors import CheckpointError

CHOICE_MARK = "#"
"""`file.pth#ema` chooses the weights `ema` of a file."""
_TRAINED = (
    *("state_dict", "model_state_dict", "model_state", "model", "module", "net", "network"),
    *("params", "weights", "model_weights", "student"),
)
_AVERAGED = (
    *("ema", "ema_state_dict", "state_dict_ema", "model_ema", "ema_model", "params_ema"),
    *("model_ema_state_dict", "ema_model_state_dict", "net_ema", "ema_params", "teacher"),
)
_NAMES = (*_TRAINED, *_AVERAGED)
# Dictionaries of tensors that are not weights.
_NO_WEIGHTS = frozenset({"optimizer", "optim", "gradients", "grads", "scaler", "loss_scaler"})
_SCALARS = (int, float, str, bool, bytes, type(None))
_MAX_DEPTH = 4
_SHOWN = 10

StateDict = dict[str, Tensor]


def find_state_dict(
    content: Mapping[Any, Any], source: str, choice: str = ""
) -> tuple[StateDict, str]:
    """Return the weights in the content of a file, and a note about others that it has.

    Args:
        content: Content of the file.
        source: Path of the file, for errors and the note.
        choice: Dotted name of the weights, e.g. `ema`. If empty, the rule of this module is used.

    Returns:
        The state dict, and one line if there were other weights, otherwise "".

    Raises:
        CheckpointError: There are no weights, no chosen ones, or several candidates.
    """
    candidates = _candidates(content, known_only=not choice)
    if not candidates and not choice:
        candidates = _candidates(content, known_only=False)
    if not candidates:
        shown = sorted(map(str, content))[:_SHOWN]
        raise CheckpointError(
            f"{source} has no weights: it must have an entry 'state_dict', got {shown}"
        )
    name = next(iter(candidates))
    if len(candidates) == 1 and (not choice or name != choice):
        # The names of the weights themselves may begin with those of a wrapper.
        split = _split_by_prefix(candidates[name])
        candidates = {".".join(filter(None, (name, key))): part for key, part in split.items()}
    name = _choose(candidates, source, choice)
    return _tensors(candidates[name], source), _note(name, candidates, source, choice)


def _candidates(
    content: Mapping[Any, Any], path: str = "", *, known_only: bool, depth: int = 0
) -> dict[str, Mapping[Any, Any]]:
    """Return the state dicts in nested dictionaries by their dotted names."""
    if _is_state_dict(content):
        return {path: content}
    found: dict[str, Mapping[Any, Any]] = {}
    for key in _NAMES if known_only else content:
        entry = content.get(key)
        if not isinstance(entry, Mapping) or not isinstance(key, str) or key in _NO_WEIGHTS:
            continue
        here = f"{path}.{key}" if path else key
        if not entry and known_only:
            found[here] = entry
        elif depth < _MAX_DEPTH:
            found |= _candidates(entry, here, known_only=known_only, depth=depth + 1)
    filled = {name: entry for name, entry in found.items() if entry}
    return filled or found


def _is_state_dict(content: Mapping[Any, Any]) -> bool:
    """Return whether a dictionary has tensors by name, and nothing but numbers next to them."""
    values = content.values()
    return any(isinstance(value, Tensor) for value in values) and all(
        isinstance(key, str) and isinstance(value, (Tensor, *_SCALARS))
        for key, value in content.items()
    )


def _split_by_prefix(state: Mapping[Any, Any]) -> dict[str, Mapping[Any, Any]]:
    """Split `{"model.a": ..., "ema.a": ...}` into two; another state dict stays whole."""
    parts: dict[str, dict[str, Any]] = {}
    for key, value in state.items():
        first, _, rest = str(key).partition(".")
        parts.setdefault(first, {})[rest] = value
    is_split = len(parts) > 1 and set(parts) <= set(_NAMES) and set(parts) & set(_AVERAGED)
    return {**parts} if is_split else {"": state}


def _choose(candidates: Mapping[str, Any], source: str, choice: str) -> str:
    if choice:
        found = [name for name in candidates if name == choice or name.endswith(f".{choice}")]
        found = [choice] if choice in found else found
    else:
        trained = [name for name in candidates if not set(name.split(".")) & set(_AVERAGED)]
        found = trained or list(candidates)
    if len(found) == 1:
        return found[0]
    listed = ", ".join(name or "(the whole file)" for name in candidates)
    if choice:
        raise CheckpointError(f"{source} has no weights {choice!r}; it has: {listed}")
    raise CheckpointError(
        f"{source} has several weights: {listed}; choose one of them as "
        f"{source}{CHOICE_MARK}{found[0]}"
    )


def _note(name: str, candidates: Mapping[str, Any], source: str, choice: str) -> str:
    others = [other for other in candidates if other != name]
    if choice or not others:
        return ""
    return (
        f"{source}: the weights {name!r} are loaded; the file also has {', '.join(others)}, which "
        f"{source}{CHOICE_MARK}{others[0]} chooses"
    )


def _tensors(state: Mapping[Any, Any], source: str) -> StateDict:
    """Return the tensors of a state dict without the numbers next to them."""
    return {str(key): value for key, value in state.items() if isinstance(value, Tensor)}
