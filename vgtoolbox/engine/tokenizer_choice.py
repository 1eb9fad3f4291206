"""Settle which tokenizer a training uses if its config and its checkpoint name different ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from mmengine.config import Config
from mmengine.utils import apply_to

from vgtoolbox.checkpoint.embedded_files import match_files, safe_name
from vgtoolbox.checkpoint.tokenizer_digests import (
    TokenizerDifference,
    carried_files,
    differing_tokenizers,
)
from vgtoolbox.engine.config import ConfigError
from vgtoolbox.utils.atomic_file import atomic_file

TokenizerChoice = Literal["checkpoint", "config"]


def settle_tokenizer(
    cfg: Config,
    checkpoint: Mapping[str, Any],
    *,
    source: str,
    choice: TokenizerChoice | None,
) -> Config:
    """Return the config with the tokenizer to train with.

    Args:
        cfg: Prepared config with a work dir.
        checkpoint: Content of the checkpoint that training starts or resumes from.
        source: Path of the checkpoint.
        choice: "checkpoint" for the tokenizer in the checkpoint, which is written to the folder
            `tokenizer` of the work dir; "config" for that of the config. If `None`, they must be
            equal.

    Raises:
        ConfigError: The tokenizers differ and no choice is made, or training resumes with another
            one, or the checkpoint has no tokenizer to use.
    """
    if choice == "checkpoint":
        return _with_carried_files(cfg, checkpoint, source)
    different = differing_tokenizers(cfg.to_dict(), checkpoint, source)
    if different and (choice is None or cfg.resume):
        raise ConfigError(_describe(different[0], source, is_resumed=cfg.resume))
    return cfg


def _describe(found: TokenizerDifference, source: str, *, is_resumed: bool) -> str:
    other = (
        ""
        if is_resumed
        else ", or --tokenizer config to train with that of the config, whose "
        "words the weights do not know"
    )
    return (
        f"the tokenizer of the config must be the one that {source} was trained with: "
        f"{found.path} (SHA-256 {found.digest}) differs from {found.carried} in the checkpoint "
        f"(SHA-256 {found.carried_digest}), so the same words have different ids. Add --tokenizer "
        f"checkpoint to train with the tokenizer in the checkpoint{other}"
    )


def _with_carried_files(cfg: Config, checkpoint: Mapping[str, Any], source: str) -> Config:
    """Write the files of the checkpoint to the work dir and name them in the config."""
    files = carried_files(checkpoint, source)
    folder = Path(cfg.work_dir, "tokenizer")
    places = {
        name: str(folder / str(index) / safe_name(name)) for index, name in enumerate(sorted(files))
    }
    found = match_files(cfg.to_dict(), places, by_kind=True)
    if not found:
        raise ConfigError(
            f"--tokenizer checkpoint needs a checkpoint that contains the tokenizer of the config, "
            f"got {source}, which contains {', '.join(files) or 'none'}; name the tokenizer that "
            "it was trained with in the config"
        )
    for name, place in places.items():
        if place in found.values():
            with atomic_file(place) as file:
                file.write(files[name])
    resolved = apply_to(cfg.to_dict(), lambda x: isinstance(x, str), lambda x: found.get(x, x))
    return Config(resolved, filename=cfg.filename)
