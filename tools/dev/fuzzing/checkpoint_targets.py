"""Checkpoints of all formats, and the config and files that they contain."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from fuzzing.target import Target
from vgtoolbox.checkpoint import (
    CheckpointError,
    CheckpointMismatchError,
    embedded_files,
    load_checkpoint,
    load_state_dict_strict,
)
from vgtoolbox.datasets import RefusedPickleError
from vgtoolbox.engine.config import ConfigError
from vgtoolbox.engine.untrusted_config import untrusted_config
from vgtoolbox.inference.loading import load_grounder
from vgtoolbox.utils.resources import resource_root
from vgtoolbox.utils.restricted_pickle import DamagedPickleError, load_restricted_pickle
from vgtoolbox.zoo import ZooError, read_zoo

RELEASED = resource_root() / "pretrain_weights" / "InstanceVG-tiny-shapes.safetensors"
ERRORS = (CheckpointError, CheckpointMismatchError, FileNotFoundError)


def tiny_model() -> nn.Module:
    """Return a model that the valid checkpoints of the corpus fit."""
    return nn.ModuleDict({"first": nn.Linear(4, 3), "second": nn.Linear(3, 2)})


def load(path: Path) -> None:
    """Load a checkpoint, its config and files, and copy its weights into a model."""
    content = load_checkpoint(path)
    text, files = content.get("config"), content.get("meta", {})
    if isinstance(text, str) and text:
        config = untrusted_config(text, source=str(path))
        packed = files.get("files", "") if isinstance(files, dict) else ""
        packed = packed if isinstance(packed, str) else ""
        with embedded_files(config.to_dict(), packed, source=str(path)):
            pass
    load_state_dict_strict(tiny_model(), content["state_dict"], source=str(path))


def _with_shards(folder: Path) -> None:
    (folder / "model").mkdir()
    state = tiny_model().state_dict()
    for number, layer in enumerate(("first", "second"), start=1):
        part = {key: value for key, value in state.items() if key.startswith(layer)}
        save_file(part, folder / "model" / f"model-{number}.safetensors")
    torch.save(state, folder / "model" / "whole.bin")


def _with_index(folder: Path) -> None:
    (folder / "model").mkdir()
    keys = ("first.weight", "first.bias", "second.weight", "second.bias")
    index = {"weight_map": dict.fromkeys(keys, "model-1.safetensors")}
    (folder / "model" / "model.safetensors.index.json").write_text(json.dumps(index))


def _with_weights(folder: Path) -> None:
    (folder / "model").mkdir()
    save_file(tiny_model().state_dict(), folder / "model" / "model.safetensors")


def _empty_model_folder(folder: Path) -> None:
    (folder / "model").mkdir()


def _load_folder(folder: Path) -> None:
    content = load_checkpoint(folder / "model")
    state = content["state_dict"]
    _ = state.config
    state.shapes()
    dict(state.items())
    load_state_dict_strict(tiny_model(), state, source=str(folder / "model"))


def _read_config(folder: Path) -> None:
    text = (folder / "config.txt").read_bytes().decode("utf-8", "surrogateescape")
    untrusted_config(text, source=str(folder / "config.txt")).to_dict()


@lru_cache(maxsize=1)
def _released() -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Return the weights and the metadata of the checkpoint that comes with the package."""
    with safe_open(RELEASED, framework="pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}, file.metadata()  # noqa: SIM118


def _load_released(folder: Path) -> None:
    """Build the model and the pipeline of a config in a checkpoint, and load its weights."""
    text = (folder / "config.txt").read_bytes().decode("utf-8", "replace")
    weights, metadata = _released()
    save_file(weights, folder / "released.safetensors", {**metadata, "config": text})
    load_grounder(None, folder / "released.safetensors")


def _unpack_files(folder: Path) -> None:
    packed = (folder / "files.json").read_bytes().decode("utf-8", "replace")
    config: dict[str, Any] = {"tokenizer": {"model_file": "data/tokenizer.spm"}}
    with embedded_files(config, packed) as resolved:
        file = Path(resolved["tokenizer"]["model_file"])
        if file.is_file():
            file.read_bytes()


def _read_metafiles(folder: Path) -> None:
    for model in read_zoo(folder / "configs").values():
        repr(model)


def _configs_folder(folder: Path) -> None:
    (folder / "configs").mkdir()


def _unpickle(*, arrays: bool) -> Any:
    def run(folder: Path) -> None:
        load_restricted_pickle(folder / "file.pkl", arrays=arrays)

    return run


# The documented errors of `load_restricted_pickle`.
_PICKLE_ERRORS = (RefusedPickleError, DamagedPickleError)

TARGETS = {
    "pth": Target("model.pth", lambda folder: load(folder / "model.pth"), ERRORS),
    "pth-legacy": Target("model.pth", lambda folder: load(folder / "model.pth"), ERRORS),
    "bin": Target("model/pytorch_model.bin", _load_folder, ERRORS, _empty_model_folder),
    "safetensors": Target(
        "model.safetensors", lambda folder: load(folder / "model.safetensors"), ERRORS
    ),
    "pkl": Target("model.pkl", lambda folder: load(folder / "model.pkl"), ERRORS),
    "folder-index": Target(
        "model/model.safetensors.index.json", _load_folder, ERRORS, _with_shards
    ),
    "folder-shard": Target("model/model-1.safetensors", _load_folder, ERRORS, _with_index),
    "folder-config": Target("model/config.json", _load_folder, ERRORS, _with_weights),
    "config-text": Target("config.txt", _read_config, ERRORS),
    "released-config": Target("config.txt", _load_released, (*ERRORS, ConfigError)),
    "embedded-files": Target("files.json", _unpack_files, ERRORS, names_file=False),
    "metafile": Target("configs/a_metafile.yml", _read_metafiles, (ZooError,), _configs_folder),
    "pickle": Target("file.pkl", _unpickle(arrays=False), _PICKLE_ERRORS),
    "pickle-arrays": Target("file.pkl", _unpickle(arrays=True), _PICKLE_ERRORS),
}
