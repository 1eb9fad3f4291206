"""Adapt state dicts of other code bases to a model: names, leftovers, leading ones and dtypes."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence

import torch
from torch import Tensor

from vgtoolbox.checkpoint.errors import CheckpointError

# Wrappers for data-parallel training, compilation and checkpointing, at the start of every key or
# in the middle of some. A model may have several.
_WRAPPERS = ("module", "_orig_mod", "_forward_module", "_fsdp_wrapped_module")
_INNER = re.compile(r"(?<=\.)(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
# Counters of profilers (thop) and of averaged models, and tables that follow from the config.
_LEFTOVERS = frozenset(
    {"total_ops", "total_params", "n_averaged", "position_ids", "inv_freq", "_float_tensor"}
)
# Entries that a model may have or lack, depending on the version of its library.
_OPTIONAL = frozenset({"num_batches_tracked", "position_ids"})
_MAX_PREFIXES = 8
_SHOWN = 5

Recognizes = Callable[[Collection[str]], bool]


def _leaf(key: str) -> str:
    return key.rpartition(".")[2]


def clean_names(
    keys: Collection[str], recognizes: Recognizes, expected: Collection[str] = ()
) -> dict[str, str]:
    """Return the keys without leftovers and without the prefixes of wrappers.

    Prefixes of known wrappers are dropped if every key has one. Any other first part that all keys
    share, such as `model.` or `net.`, is dropped only if the rest is known.

    Args:
        keys: Keys of a state dict.
        recognizes: Function that returns whether keys belong to a known layout.
        expected: Keys of the model. Those that it has are never dropped.

    Returns:
        The given keys by their new names.
    """
    wanted = set(expected)
    names = {key: key for key in keys if _leaf(key) not in _LEFTOVERS or key in wanted}
    if wanted & names.keys():  # the prefix of a wrapper may be the name of a part
        return _without_inner(names, wanted)
    return _without_prefixes(names, recognizes, wanted)


def _without_prefixes(
    names: dict[str, str], recognizes: Recognizes, wanted: set[str]
) -> dict[str, str]:
    plain = _without_inner(names)
    while (first := _shared_part(plain)) in _WRAPPERS:
        plain = _without_first(plain, first)
    current = plain
    for _ in range(_MAX_PREFIXES):
        if recognizes(current) or wanted & current.keys():
            return current
        first = _shared_part(current)
        if not first:
            break
        current = _without_first(current, first)
    return plain


def _shared_part(names: Collection[str]) -> str:
    """Return the first part of all names, "" if they do not share it."""
    first = next(iter(names), "").partition(".")[0]
    return first if all(name.startswith(first + ".") for name in names) else ""


def _without_first(names: dict[str, str], first: str) -> dict[str, str]:
    return _without_inner({name[len(first) + 1 :]: old for name, old in names.items()})


def _without_inner(names: dict[str, str], wanted: Collection[str] = ()) -> dict[str, str]:
    cleaned = {name if name in wanted else _INNER.sub("", name): old for name, old in names.items()}
    return cleaned if len(cleaned) == len(names) else names


def fit_to_model(
    state: dict[str, Tensor], expected: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], list[str]]:
    """Drop and add entries that do not matter, and adapt shapes that differ by leading ones.

    Args:
        state: State dict in our layout.
        expected: State dict of the model.

    Returns:
        The adapted state dict, and one line for each kind of change.
    """
    dropped = [key for key in state if key not in expected and _leaf(key) in _OPTIONAL]
    modules = {key.rpartition(".")[0] for key in state}
    added = [
        key
        for key in expected
        if key not in state and _leaf(key) in _OPTIONAL and key.rpartition(".")[0] in modules
    ]
    fitted = {key: value for key, value in state.items() if key not in set(dropped)}
    fitted |= {key: expected[key] for key in added}
    reshaped = []
    for key in fitted.keys() & expected.keys():
        shape = expected[key].shape
        value = with_leading_ones(fitted[key], shape)
        if value is not fitted[key]:
            reshaped.append(f"{key} {list(fitted[key].shape)} -> {list(shape)}")
            fitted[key] = value
    lines = []
    if dropped:
        lines.append(f"entries without weights are ignored: {few(dropped)}")
    if added:
        lines.append(f"entries without weights keep the values of the model: {few(added)}")
    if reshaped:
        lines.append(f"shapes differ by leading ones, which does not matter: {few(reshaped)}")
    return fitted, lines


def with_leading_ones(value: Tensor, shape: torch.Size) -> Tensor:
    """Return a tensor in a shape that differs by leading ones; `value` itself if it does not."""
    if value.shape != shape and _core(value.shape) == _core(shape):
        return value.reshape(shape)
    return value


def _core(shape: Sequence[int]) -> tuple[int, ...]:
    first = next((place for place, size in enumerate(shape) if size != 1), len(shape))
    return tuple(shape[first:])


def check_dtypes(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], source: str) -> None:
    """Raise if copying weights to the dtypes of the model would change their meaning.

    Real numbers may have any precision. Whole numbers in place of real ones are quantized weights,
    which have no meaning without their scales.

    Raises:
        CheckpointError: The message lists the entries with both dtypes.
    """
    wrong = [
        f"{key}: {_name(state[key])} in the checkpoint, {_name(value)} in the model"
        for key, value in expected.items()
        if key in state and not _is_convertible(state[key], value.dtype)
    ]
    if wrong:
        raise CheckpointError(
            f"{source}: {len(wrong)} entries have a dtype that does not fit the model, and nothing "
            f"was loaded: {few(wrong)}. Quantized weights (int8, uint8) are not supported; use the "
            "checkpoint in float32, bfloat16 or float16"
        )


def _is_convertible(value: Tensor, dtype: torch.dtype) -> bool:
    if value.dtype == dtype:
        return True
    if value.is_complex() or dtype.is_complex:
        return value.is_complex() and dtype.is_complex
    if dtype.is_floating_point or not value.is_floating_point():
        return value.is_floating_point() == dtype.is_floating_point
    # A counter or an index table in a state dict that was halved as a whole.
    return not value.is_meta and bool((value.float() == value.float().round()).all())


def _name(value: Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")


def few(items: Sequence[str]) -> str:
    """Return the first items as text, and the number of others."""
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return ", ".join(items[:_SHOWN]) + more
