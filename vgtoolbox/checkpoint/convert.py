"""From the layout of a published checkpoint to ours, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from vgtoolbox.checkpoint.config_text import read_config_text
from vgtoolbox.checkpoint.embedded_files import tokenizer_files
from vgtoolbox.checkpoint.io import (
    SAFETENSORS_SUFFIX,
    CheckpointError,
    load_checkpoint,
    save_checkpoint,
    save_released,
)
from vgtoolbox.checkpoint.layouts import LAYOUTS, recognize_export_layout, recognize_layout
from vgtoolbox.checkpoint.strict import match_state_dict, strip_wrapper_prefix


@dataclass(frozen=True)
class Conversion:
    """What was converted.

    Attributes:
        state_dict: In the new layout.
        layout: Name of the published layout that it came from, or went to.
        to_published: Which of the two.
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
    """Bring weights of a published layout to ours, and ours to the published one.

    Args:
        state_dict: Which of the two it is, its keys say.
        model: What our layout is checked against, weight by weight; it may stand on the meta
            device. None trusts the names.
        source: What error messages call it.

    Raises:
        CheckpointError: The keys belong to no layout that is known.
        CheckpointMismatchError: The weights are not those of `model`.
    """
    state = strip_wrapper_prefix(state_dict)
    published = recognize_layout(state)
    if published is not None:
        if model is None:
            ours = published.to_ours(state, None)
        else:
            ours, _ = match_state_dict(model, state, source=source)
        return Conversion(ours, published.name, to_published=False)
    target = recognize_export_layout(state)
    if target is None:
        known = ", ".join(layout.name for layout in LAYOUTS)
        raise CheckpointError(
            f"{source} is in no layout that can be converted (known: {known}); its keys begin "
            f"{', '.join(sorted(state)[:3])}"
        )
    if model is not None:
        match_state_dict(model, state, source=source)
    return Conversion(target.to_published(state, model), target.name, to_published=True)


def convert_checkpoint(
    source: str | Path,
    target: str | Path,
    *,
    model: nn.Module | None = None,
    config_text: str = "",
) -> Conversion:
    """Convert a checkpoint file; the suffix of `target` says what kind of file it becomes.

    Only weights are converted: the state of an optimizer belongs to the code that made it.

    Args:
        source: In a published layout or in ours.
        target: Written whole or not at all: `.safetensors`, or anything else for a `.pth`.
        model: See `convert_state_dict`.
        config_text: Of a config that builds `model`. It goes along with weights in our layout,
            and so do the tokenizers that it names, where they are there.
    """
    if Path(source).resolve() == Path(target).resolve():
        raise CheckpointError(f"{source} can't be converted into itself; name another file")
    weights = load_checkpoint(source)["state_dict"]
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
