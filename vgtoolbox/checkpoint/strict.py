"""Strict loading of weights: either all of them fit, or an error lists the differences."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from vgtoolbox.checkpoint.adapting import check_dtypes, clean_names, few, fit_to_model
from vgtoolbox.checkpoint.config_text import ConfigTextError, read_config_text
from vgtoolbox.checkpoint.errors import CheckpointError
from vgtoolbox.checkpoint.finite import check_finite
from vgtoolbox.checkpoint.layouts import (
    Layout,
    StreamingLayout,
    recognize_export_layout,
    recognize_layout,
)
from vgtoolbox.checkpoint.lora import fit_lora, has_language_model
from vgtoolbox.checkpoint.sharded import ShardedState, load_streaming

_SHOWN_KEYS = 5
# Scales and tables that bitsandbytes, GPTQ, AWQ and FP8 store next to a quantized weight.
_QUANTIZED = re.compile(
    r".*\.(?:absmax|quant_map|quant_state\..*|SCB|qweight|qzeros|scales|weight_scale(?:_inv)?)"
)


@dataclass(frozen=True)
class LoadReport:
    """Comparison of the entries of a checkpoint and of a model.

    Attributes:
        matched: Keys that both have, in the same shape.
        missing: Keys that only the model has.
        unexpected: Keys that only the checkpoint has.
        mis_shaped: Tuples (key, shape in the checkpoint, shape in the model).
        layout: Name of the checkpoint's layout.
    """

    matched: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mis_shaped: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]
    layout: str = "vgtoolbox"

    @property
    def complete(self) -> bool:
        """Whether every weight of the model and of the checkpoint is matched."""
        return not (self.missing or self.unexpected or self.mis_shaped)

    def __str__(self) -> str:
        shapes = tuple(
            f"{key}: {list(found)} in the checkpoint, {list(expected)} in the model"
            for key, found, expected in self.mis_shaped
        )
        classes = {"missing": self.missing, "unexpected": self.unexpected, "mis-shaped": shapes}
        lines = [f"{len(self.matched)} matched (layout of {self.layout})"]
        for name, keys in classes.items():
            lines.append(f"{len(keys)} {name}")
            lines += [f"    {key}" for key in keys[:_SHOWN_KEYS]]
            if len(keys) > _SHOWN_KEYS:
                lines.append(f"    ... and {len(keys) - _SHOWN_KEYS} more")
        return "\n".join(lines)


class LayoutError(CheckpointError, ValueError):
    """The entries of a checkpoint do not have the form that their names promise."""


class CheckpointMismatchError(RuntimeError):
    """A checkpoint does not fit the model into which it should be loaded."""

    def __init__(self, report: LoadReport, *, source: str, cause: str) -> None:
        super().__init__(
            f"{source} does not fit the model, and nothing was loaded.\n"
            f"{report}\nLikely cause: {cause}"
        )
        self.report = report


def to_model_layout(
    state_dict: Mapping[str, Tensor], model: nn.Module, *, source: str = "the checkpoint"
) -> tuple[dict[str, Tensor], str]:
    """Convert a state dict to the names that `model` uses.

    Args:
        state_dict: State dict in our layout or in a published one, see `clean_names`.
        model: Model that the state dict is meant for.
        source: Name of the checkpoint in error messages.

    Returns:
        The state dict, and the name of its original layout.

    Raises:
        LayoutError: The entries do not fit the layout that their names have.
    """
    expected = model.state_dict()
    names = clean_names(state_dict.keys(), _is_known, expected.keys())
    state = {name: state_dict[key] for name, key in names.items()}
    layout = recognize_layout(state.keys())
    try:
        if layout is not None:
            return layout.to_ours(state, model), layout.name
        return (fit_lora(state, model) if has_language_model(state) else state), "vgtoolbox"
    except CheckpointError:
        raise
    except Exception as error:  # the shapes and keys of an unknown file can be anything
        raise _layout_error(layout, model, source, error) from error


def _is_known(keys: Collection[str]) -> bool:
    return recognize_layout(keys) is not None or recognize_export_layout(keys) is not None


def _layout_error(
    layout: Layout | None, model: nn.Module, source: str, error: Exception
) -> LayoutError:
    name = "vgtoolbox" if layout is None else layout.name
    reason = f"{error}" if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
    return LayoutError(
        f"{source} has the layout of {name}, but its weights do not fit {type(model).__name__}, "
        f"and nothing was loaded: {reason}"
    )


def strip_wrapper_prefix(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Drop the prefixes of wrappers that every key has, and leftovers of profilers."""
    names = clean_names(state_dict.keys(), _is_known)
    return {name: state_dict[key] for name, key in names.items()}


def load_state_dict_strict(
    model: nn.Module,
    state_dict: Mapping[str, Tensor],
    *,
    source: str = "the checkpoint",
    config_text: str = "",
    allow_nonfinite: bool = False,
) -> LoadReport:
    """Load weights into a model, or leave it untouched and raise.

    Args:
        model: Model whose values are overwritten, on its device.
        state_dict: State dict in our layout or in a published one, with or without prefixes of
            wrappers such as `module.`.
        source: Name of the checkpoint in error messages.
        config_text: Text of the config in the checkpoint; used in errors to name the other model.
        allow_nonfinite: Whether to load NaN and infinite values.

    Raises:
        CheckpointMismatchError: A key is missing, unexpected, or has another shape.
        CheckpointError: Weights are NaN or infinite, are quantized, or do not fit the layout that
            their names have. A published folder with NaN is the only case in which the model
            contains some of the weights.
    """
    if isinstance(state_dict, ShardedState):
        names = clean_names(state_dict.keys(), _is_known, model.state_dict().keys())
        state_dict = state_dict.renamed(names)
        layout = recognize_layout(state_dict.keys())
        if isinstance(layout, StreamingLayout):
            shapes = state_dict.shapes()
            _, report = match_state_dict(model, shapes, source=source, config_text=config_text)
            load_streaming(
                model,
                state_dict,
                convert=layout.convert,
                scaling=layout.lora_scaling,
                allow_nonfinite=allow_nonfinite,
            )
            return report
    ours, report = match_state_dict(model, state_dict, source=source, config_text=config_text)
    if not allow_nonfinite:
        check_finite(ours, source)
    model.load_state_dict(ours)
    return report


def match_state_dict(
    model: nn.Module,
    state_dict: Mapping[str, Tensor],
    *,
    source: str = "the checkpoint",
    config_text: str = "",
) -> tuple[dict[str, Tensor], LoadReport]:
    """Convert weights to the names of a model and check that they are all of its weights.

    Nothing is loaded, so the model may be on the meta device. Arguments and errors are those of
    `load_state_dict_strict`.

    Returns:
        The state dict in our layout, and the report.
    """
    ours, layout = to_model_layout(state_dict, model, source=source)
    expected = model.state_dict()
    ours, changes = fit_to_model(ours, expected)
    report = compare(ours, expected, layout=layout)
    if not report.complete:
        raise CheckpointMismatchError(
            report, source=source, cause=_likely_cause(report, model, config_text)
        )
    check_dtypes(ours, expected, source)
    for line in changes:
        warnings.warn(f"{source}: {line}", stacklevel=3)
    return ours, report


def compare(
    found: Mapping[str, Tensor], expected: Mapping[str, Tensor], *, layout: str = "vgtoolbox"
) -> LoadReport:
    """Compare the entries of a checkpoint with those of a model."""
    common = [key for key in expected if key in found]
    return LoadReport(
        matched=tuple(key for key in common if found[key].shape == expected[key].shape),
        missing=tuple(key for key in expected if key not in found),
        unexpected=tuple(key for key in found if key not in expected),
        mis_shaped=tuple(
            (key, tuple(found[key].shape), tuple(expected[key].shape))
            for key in common
            if found[key].shape != expected[key].shape
        ),
        layout=layout,
    )


def _likely_cause(report: LoadReport, model: nn.Module, config_text: str) -> str:
    """Guess the cause from the keys that differ and from the config in the checkpoint."""
    theirs = _model_type(config_text)
    if theirs and theirs != type(model).__name__:
        return (
            f"it contains the weights of {theirs}, but the config builds {type(model).__name__}; "
            f"use a config of {theirs}"
        )
    quantized = [key for key in report.unexpected if _QUANTIZED.fullmatch(key)]
    if quantized:
        return (
            f"its weights are quantized (it has {few(quantized)}), which is not supported; use the "
            "checkpoint in float32, bfloat16 or float16"
        )
    prefix = _extra_prefix(report)
    if prefix:
        return (
            f"the keys of this model are under {prefix!r}: it was saved from a wrapper with other "
            "parts; save the state dict of the model itself"
        )
    parts = _only_parts(report)
    if parts:
        return (
            f"it contains only {parts} of the model; to start training from such weights, set "
            "custom_hooks=[dict(type='PretrainedWeightsHook', module=..., checkpoint=...)]"
        )
    if not report.matched and not report.mis_shaped:
        return "it belongs to another model, or to a code base with an unknown layout"
    if report.mis_shaped:
        return (
            "it belongs to the same model in another size; use the config that the checkpoint was "
            "trained with (width, number of queries, number of tokens, resolution)"
        )
    return "it belongs to a variant with other parts; compare the model sections of both configs"


def _model_type(config_text: str) -> str:
    """Return the type of the model in the text of a config, empty if there is none."""
    try:
        model = read_config_text(config_text).get("model", {})
    except ConfigTextError:  # the config of another code base is not needed for the explanation
        return ""
    name = str(model.get("type", "")) if isinstance(model, dict) else ""
    return name.rpartition(".")[2]  # without the scope


def _only_parts(report: LoadReport) -> str:
    """Return the parts of the model that a checkpoint has, if it has nothing of the others."""
    if not report.matched or not report.missing or report.unexpected or report.mis_shaped:
        return ""
    filled, empty = (
        {key.partition(".")[0] for key in keys} for keys in (report.matched, report.missing)
    )
    # A checkpoint that lacks one small part is of a variant; one that has a few parts is of these.
    return ", ".join(sorted(filled)) if not filled & empty and len(filled) < len(empty) else ""


def _extra_prefix(report: LoadReport) -> str:
    """Return the prefix without which the unexpected keys are the missing ones."""
    if not report.unexpected or not report.missing or report.matched:
        return ""
    first = report.missing[0]
    candidates = (key for key in report.unexpected if key.endswith("." + first))
    prefix = next(candidates, first)[: -len(first)]
    stripped = {key[len(prefix) :] for key in report.unexpected if key.startswith(prefix)}
    return prefix if prefix and stripped >= set(report.missing) else ""
