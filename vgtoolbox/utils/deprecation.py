"""Deprecated names that configs may still use, with their replacements.

There is one table per kind of name. A name stays here for one release after its change; after that
it is an error like any other unknown name.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

_REMOVAL = "the earlier name will be removed in the next release"

RENAMED_TYPES: Mapping[str, str] = {
    "DrawExpressions": "SampleExpressions",
    "ImageLaneBatchSampler": "WorkerAffineBatchSampler",
    "ModelOptionHook": "HyperParameterHook",
    "PackConversationInputs": "PackGroundingInputs",
    "PhraseListDataset": "EEVGListDataset",
    "ValidationPicturesHook": "GroundingVisualizationHook",
    "conversation_collate": "grounding_collate",
}
"""Current name of a registered type by its deprecated name."""

RENAMED_ARGUMENTS: Mapping[str, Mapping[str, str]] = {
    "GroundingVisualizationHook": {"num": "num_samples", "side": "max_width"},
    "HyperParameterHook": {"option": "attribute"},
    "MLLMSeg": {"protocol": "answer_mode"},
    "PretrainedWeightsHook": {"page": "url"},
    "ViTDet": {"position_side": "position_grid_size", "relative_side": "relative_grid_size"},
    "WorkerAffineBatchSampler": {"lanes": "num_workers"},
}
"""Current name of an argument by its deprecated name, for each type (under its current name)."""

RENAMED_VALUES: Mapping[tuple[str, str], Mapping[Any, Any]] = {
    ("FocalDiceLoss", "form"): {"clean": "corrected"},
    ("RandomApply", "spare_positions"): {"clean": "corrected"},
    ("RandomHorizontalFlip", "word_swap"): {"clean": "corrected"},
    ("RandomTargetCrop", "acceptance"): {"clean": "corrected"},
    ("TokenMaskLoss", "form"): {"clean": "corrected"},
}
"""Current value by its deprecated value, for each type and argument (under their current names)."""


def show_deprecation_warnings() -> None:
    """Show the warnings about earlier names, which Python hides outside of `__main__` by default.

    For the start of a command; a library leaves the choice to its user.
    """
    warnings.filterwarnings("default", message=f".*{_REMOVAL}", category=DeprecationWarning)


def current_type(name: str) -> str:
    """Return the current name of a registered type, and warn if `name` is deprecated.

    Args:
        name: Type as written in a config, with or without a scope.
    """
    scope, dot, bare = name.rpartition(".")
    if bare not in RENAMED_TYPES or scope not in ("", "vgtoolbox"):
        return name
    _warn(f"type {bare!r}", repr(RENAMED_TYPES[bare]))
    return f"{scope}{dot}{RENAMED_TYPES[bare]}"


def current_argument(type_name: Any, name: str) -> str:
    """Return the current name of an argument, and warn if `name` is deprecated.

    Args:
        type_name: Current name of the type, with or without a scope. Values that are not strings
            have no renamed arguments.
        name: Name of the argument as written in a config.
    """
    bare = type_name.rpartition(".")[2] if isinstance(type_name, str) else ""
    new = RENAMED_ARGUMENTS.get(bare, {}).get(name)
    if new is None:
        return name
    _warn(f"argument {name!r} of {bare}", repr(new))
    return new


def update_config(node: Any) -> None:
    """Replace deprecated names in a config in place, with a `DeprecationWarning` for each.

    Args:
        node: Config or any part of it: nested mappings, lists and plain values.
    """
    if isinstance(node, dict) and isinstance(node.get("model"), dict):
        _move_conversations(node)
    if isinstance(node, (list, tuple)):
        for item in node:
            update_config(item)
    if not isinstance(node, dict):
        return
    if isinstance(node.get("type"), str):
        _update_section(node)
    for value in node.values():
        update_config(value)


_PACKINGS = {"chain": "joint", "branches": "separate"}


def _move_conversations(cfg: dict[str, Any]) -> None:
    """Move the writing of conversations from the model to the pipeline, as of version 0.2."""
    model = cfg["model"]
    if model.get("type") not in ("MLLMSeg", "vgtoolbox.MLLMSeg"):
        return
    old = model.pop("training_form", None)
    if old is not None:
        _warn("argument 'training_form' of MLLMSeg", "'packing' of WriteReferringConversations")
    step = {
        "type": "WriteReferringConversations",
        "prompts": model.get("prompts", "mllmseg"),
        "packing": _PACKINGS.get(old or "chain", old),
    }
    _insert_step(cfg, step, before="PackConversationInputs")


def _insert_step(node: Any, step: dict[str, Any], *, before: str) -> None:
    """Insert a transform before those of a type in all pipelines, lists or dicts of named steps."""
    if isinstance(node, dict):
        items = list(node.items())
        if any(isinstance(value, dict) and value.get("type") == before for _, value in items):
            node.clear()
            for key, value in items:
                if isinstance(value, dict) and value.get("type") == before:
                    node["conversations"] = dict(step)
                node[key] = value
    if isinstance(node, list):
        places = [i for i, v in enumerate(node) if isinstance(v, dict) and v.get("type") == before]
        for i in reversed(places):
            node.insert(i, dict(step))
    for value in list(node.values()) if isinstance(node, dict) else node:
        if isinstance(value, (dict, list)):
            _insert_step(value, step, before=before)


def _update_section(node: dict[str, Any]) -> None:
    """Replace the deprecated names in one `dict(type=..., ...)`."""
    name = current_type(node["type"])
    if name != node["type"]:
        node["type"] = name
    name = name.rpartition(".")[2]
    for old in RENAMED_ARGUMENTS.get(name, {}):
        if old in node:
            node[current_argument(name, old)] = node.pop(old)
    for key in [key for key in node if (name, key) in RENAMED_VALUES]:
        values = RENAMED_VALUES[name, key]
        if isinstance(node[key], str) and node[key] in values:
            _warn(f"{key}={node[key]!r} of {name}", repr(values[node[key]]))
            node[key] = values[node[key]]


def _warn(old: str, new: str) -> None:
    warnings.warn(
        f"{old} is now {new}; {_REMOVAL}",
        DeprecationWarning,
        stacklevel=4,
    )
