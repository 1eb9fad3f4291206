"""Build a model and its test pipeline from a config and a checkpoint."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.model import BaseModel
from torch import Tensor

from vgtoolbox.checkpoint import (
    CheckpointError,
    embedded_files,
    load_checkpoint,
    load_state_dict_strict,
    tokenizer_files,
)
from vgtoolbox.engine.config import ConfigError, load_config, override
from vgtoolbox.engine.untrusted_config import (
    check_model_size,
    check_untrusted_values,
    untrusted_config,
)
from vgtoolbox.registry import FUNCTIONS, MODELS, TRANSFORMS
from vgtoolbox.zoo import ZooModel, find_model

ConfigLike = str | Path | Mapping[str, Any]


@dataclass(frozen=True)
class LoadedGrounder:
    """Model with the functions that prepare its inputs.

    Attributes:
        model: Model in evaluation mode, on the CPU.
        pipeline: Test pipeline of the config, from a record to `inputs` and `data_samples`.
        collate: Function that makes a batch from a list of pipeline outputs.
        config: Complete config.
    """

    model: BaseModel
    pipeline: Compose
    collate: Callable[[list[dict[str, Any]]], dict[str, Any]]
    config: Config


def load_grounder(
    config: ConfigLike | None,
    checkpoint: str | Path | None,
    options: Mapping[str, Any] | None = None,
) -> LoadedGrounder:
    """Build the model and the test pipeline of a config, and load weights.

    Args:
        config: Path of a config file, config, or name of a zoo model. If `None`, the config in a
            released checkpoint is used, which may build registered types only.
        checkpoint: Path of a checkpoint in any known layout. If `None`, the weights of the zoo
            model are loaded; for any other config they are random, with a warning.
        options: Overrides of the config, by dotted key.

    Raises:
        ConfigError: There is no config, or it has no test pipeline.
        CheckpointError: The checkpoint does not fit the model, or contains no config and none was
            given.
    """
    model = _zoo_model(config)
    if model is not None:
        check_untrusted_values(model.options, source=f"the metafile of {model.name}")
        config, checkpoint = model.config, checkpoint or model.find_weights()
        options = {**model.options, **(options or {})}
    content: dict[str, Any] = {} if checkpoint is None else load_checkpoint(checkpoint)
    cfg = _read_config(config, content, checkpoint)
    for key, value in (options or {}).items():
        override(cfg, key, value)
    files = content.get("meta", {}).get("files", "")
    files = files if isinstance(files, str) else ""
    source = str(checkpoint)
    with embedded_files(cfg.to_dict(), files, by_kind=True, source=source) as resolved:
        if config is None:
            _check_untrusted_model(resolved, content["state_dict"], source)
        grounder = MODELS.build(resolved["model"])
        pipeline = _build_pipeline(resolved)
    if checkpoint is None:
        warnings.warn(
            f"no checkpoint: the weights of {type(grounder).__name__} are random, "
            "and so are its predictions",
            stacklevel=3,
        )
    else:
        load_state_dict_strict(
            grounder,
            content["state_dict"],
            source=str(checkpoint),
            config_text=str(content.get("config") or ""),
        )
    return LoadedGrounder(
        grounder.eval(), pipeline, FUNCTIONS.get(_collate_name(cfg.to_dict())), cfg
    )


def _collate_name(config: Mapping[str, Any]) -> str:
    """Return the name of the function that makes a batch."""
    node: Any = config
    for key in ("test_dataloader", "collate_fn", "type"):
        node = node.get(key) if isinstance(node, Mapping) else None
    return node if isinstance(node, str) else "grounding_collate"


def _check_untrusted_model(
    config: Mapping[str, Any], weights: Mapping[str, Tensor], source: str
) -> None:
    """Raise unless a config from a checkpoint builds a model of its size, from files that exist.

    A tokenizer that does not exist would be looked for on the Hugging Face Hub.
    """
    for file in tokenizer_files(config):
        if not Path(file).exists():
            raise CheckpointError(
                f"{source}: the config in the checkpoint names the tokenizer {file!r:.200}, which "
                "neither exists nor is contained in the checkpoint; pass the config that it was "
                "trained with"
            )
    model = config.get("model")
    if not isinstance(model, Mapping) or "type" not in model:
        raise CheckpointError(
            f"{source}: the config in the checkpoint must have a model with a type, got none; pass "
            "the config that it was trained with"
        )
    try:
        _build_pipeline(config)
    except ConfigError:
        raise
    except Exception as error:
        raise CheckpointError(
            f"{source}: the pipeline of the config in the checkpoint can't be built "
            f"({type(error).__name__}: {error}); pass the config that it was trained with"
        ) from error
    check_model_size(model, weights, extra=_pretrained_size(model), source=source)


def _pretrained_size(model: Mapping[str, Any]) -> int:
    """Return the number of values in the folder that an adapter of LoRA is loaded on."""
    mllm = model.get("mllm")
    folder = mllm.get("pretrained") if isinstance(mllm, Mapping) else None
    if not isinstance(folder, str) or not Path(folder).is_dir():
        return 0
    return sum(file.stat().st_size for file in Path(folder).iterdir() if file.is_file())


def _zoo_model(config: ConfigLike | None) -> ZooModel | None:
    """Return the zoo model of a name, or `None` if `config` is not a name."""
    if not isinstance(config, str) or Path(config).is_file() or Path(config).suffix == ".py":
        return None
    return find_model(config)


def _read_config(
    config: ConfigLike | None, content: Mapping[str, Any], checkpoint: str | Path | None
) -> Config:
    """Read the config from a file, a mapping or the checkpoint."""
    if isinstance(config, (str, Path)):
        return load_config(config)
    if config is not None:
        return Config(dict(config.to_dict() if isinstance(config, Config) else config))
    if checkpoint is None:
        raise ConfigError(
            "config or checkpoint must be given, got neither; without a config, the checkpoint "
            "must be a released one that contains its config"
        )
    text = content.get("config")
    if not isinstance(text, str) or not text:
        raise CheckpointError(
            f"{checkpoint} contains no config; pass the config that it was trained with"
        )
    return untrusted_config(text, source=str(checkpoint))


def _build_pipeline(config: Mapping[str, Any]) -> Compose:
    """Build the test pipeline of a config."""
    datasets = [split.get("dataset", {}) for split in config.get("test_splits", {}).values()]
    loaders = (config.get(f"{phase}_dataloader") or {} for phase in ("test", "val"))
    datasets += [loader.get("dataset", {}) for loader in loaders]
    for dataset in datasets:
        steps = dataset.get("pipeline")
        if steps:
            steps = steps.values() if isinstance(steps, Mapping) else steps
            return Compose([TRANSFORMS.build(step) for step in steps])
    raise ConfigError(
        "the config must have a test pipeline that prepares the inputs of the model, got none; "
        "define test_splits.<name>.dataset.pipeline or val_dataloader.dataset.pipeline"
    )
