"""Conversion of checkpoints from published layouts to ours, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from os.path import realpath  # unlike Path.resolve, accepts links in circles
from pathlib import Path

from torch import Tensor, nn

from vgtoolbox.checkpoint.config_text import read_config_text
from vgtoolbox.checkpoint.embedded_files import tokenizer_files
from vgtoolbox.checkpoint.errors import CheckpointError
from vgtoolbox.checkpoint.finite import check_finite
from vgtoolbox.checkpoint.io import (
    SAFETENSORS_SUFFIX,
    load_checkpoint,
    save_checkpoint,
    save_released,
)
from vgtoolbox.checkpoint.layouts import LAYOUTS, recognize_export_layout, recognize_layout
from vgtoolbox.checkpoint.strict import LayoutError, match_state_dict, strip_wrapper_prefix


@dataclass(frozen=True)
class Conversion:
    """Result of a conversion.

    Attributes:
        state_dict: State dict in the new layout.
        layout: Name of the published layout.
        to_published: Whether the conversion was to the published layout, not from it.
    """

    state_dict: dict[str, Tensor]
    layout: str
    to_published: bool


def convert_state_dict(
    state_dict: Mapping[str, Tensor],
    model: nn.Module | None = None,
    *,
    source: str = "the checkpoint",
) -> Conversion:
    """Convert weights of a published layout to ours, or ours to the published one.

    Args:
        state_dict: State dict, whose keys determine the direction.
        model: Model whose weights those in our layout must match, possibly on the meta device. If
            `None`, they are not checked.
        source: Name of the checkpoint in error messages.

    Raises:
        CheckpointError: The keys do not belong to a known layout.
        CheckpointMismatchError: The weights are not those of `model`.
    """
    state = strip_wrapper_prefix(state_dict)
    published = recognize_layout(state)
    if published is not None:
        if model is None:
            ours = _convert(published.to_ours, state, None, source)
        else:
            ours, _ = match_state_dict(model, state, source=source)
        return Conversion(ours, published.name, to_published=False)
    target = recognize_export_layout(state)
    if target is None:
        known = ", ".join(layout.name for layout in LAYOUTS)
        raise CheckpointError(
            f"{source} must be in our layout or in a published one (known: {known}), got keys such "
            f"as {', '.join(sorted(state)[:3])}"
        )
    if model is not None:
        match_state_dict(model, state, source=source)
    theirs = _convert(target.to_published, state, model, source)
    return Conversion(theirs, target.name, to_published=True)


def _convert(
    function: Callable[[dict[str, Tensor], nn.Module | None], dict[str, Tensor]],
    state: dict[str, Tensor],
    model: nn.Module | None,
    source: str,
) -> dict[str, Tensor]:
    """Call the conversion of a layout, whose errors are those of the checkpoint."""
    try:
        return function(state, model)
    except Exception as error:  # the shapes and keys of an unknown file can be anything
        raise LayoutError(
            f"{source} can't be converted: {error or type(error).__name__}"
        ) from error


def convert_checkpoint(
    source: str | Path,
    target: str | Path,
    *,
    model: nn.Module | None = None,
    config_text: str = "",
) -> Conversion:
    """Convert a checkpoint file.

    Only weights are converted: the state of an optimizer belongs to the code that created it.

    Args:
        source: Checkpoint in a published layout or in ours.
        target: File to write atomically: safetensors if its suffix is `.safetensors`, otherwise a
            checkpoint of torch.
        model: Model that the weights must match, see `convert_state_dict`.
        config_text: Text of a config that builds `model`. It is stored with weights in our layout,
            together with the existing tokenizer files that it names.

    Raises:
        CheckpointError: `source` and `target` are the same file, or the layout is unknown.
        CheckpointMismatchError: The weights are not those of `model`.
    """
    weights = load_checkpoint(source)["state_dict"]
    if realpath(source) == realpath(target):
        raise CheckpointError(f"target must be another file than {source}, got the file itself")
    check_finite(weights, str(source))
    conversion = convert_state_dict(weights, model, source=str(source))
    if conversion.to_published:
        config_text = ""
    files = tokenizer_files(read_config_text(config_text)) if config_text else []
    if Path(target).suffix == SAFETENSORS_SUFFIX:
        found = [file for file in files if Path(file).is_file()]
        save_released(conversion.state_dict, config_text, target, files=found)
    else:
        content = {"state_dict": conversion.state_dict}
        save_checkpoint(content | ({"config": config_text} if config_text else {}), target)
    return conversion
