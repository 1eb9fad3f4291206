import io
import json
import multiprocessing
import os
import signal
import struct
from collections import OrderedDict
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from vgtoolbox.checkpoint import (
    CheckpointError,
    load_checkpoint,
    load_released,
    save_checkpoint,
    save_released,
)
from vgtoolbox.checkpoint.io import atomic_file, check_plain

CONFIG = "model = dict(type='Tiny')\n"


def names_in(folder):
    return [entry.name for entry in folder.iterdir()]


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


def test_saved_checkpoints_load_with_weights_only(tmp_path, model):
    path = tmp_path / "folder" / "a.pth"
    content = {"state_dict": model.state_dict(), "meta": {"epoch": 3, "betas": (0.9, None)}}
    save_checkpoint(content, path)
    loaded = torch.load(path, weights_only=True)
    assert loaded["meta"] == content["meta"]
    assert torch.equal(loaded["state_dict"]["0.weight"], model[0].weight)
    assert names_in(path.parent) == ["a.pth"]


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (np.float64(0.5), "numpy.float64"),
        (np.zeros(2), "numpy.ndarray"),
        (nn.Linear(1, 1), "torch.nn.modules.linear.Linear"),
        ({1, 2}, "builtins.set"),
    ],
)
def test_an_object_is_refused_by_its_key(tmp_path, value, named):
    path = tmp_path / "a.pth"
    with pytest.raises(
        TypeError, match=rf"checkpoint\['meta'\]\['scores'\]\[1\] must be a tensor.* got a {named}"
    ):
        save_checkpoint({"state_dict": {}, "meta": {"scores": [0.1, value]}}, path)
    assert not path.exists()


_plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=8,
)


@given(_plain)
def test_plain_values_are_accepted_and_survive(tmp_path_factory, value):
    check_plain(value, where="value")
    path = tmp_path_factory.mktemp("plain") / "a.pth"
    save_checkpoint({"state_dict": OrderedDict(), "value": value}, path)
    assert load_checkpoint(path)["value"] == value


def test_a_failure_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.pth"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="disk"), atomic_file(path) as file:
        file.write(b"half of the n")
        raise RuntimeError("disk full")
    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == ["a.pth"]


def write_half_and_die(path):
    with atomic_file(path) as file:
        file.write(b"half of the n")
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_kill_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.pth"
    path.write_bytes(b"old")
    child = multiprocessing.get_context("fork").Process(target=write_half_and_die, args=(path,))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    with atomic_file(path) as file:  # the next writer removes leftovers
        file.write(b"new")
    assert path.read_bytes() == b"new"
    assert names_in(tmp_path) == ["a.pth"]


def test_missing_file_lists_existing_files(tmp_path, model):
    save_checkpoint({"state_dict": model.state_dict()}, tmp_path / "epoch_1.pth")
    with pytest.raises(FileNotFoundError, match=r"epoch_9.*that folder: epoch_1\.pth"):
        load_checkpoint(tmp_path / "epoch_9.pth")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        load_checkpoint(tmp_path / "nowhere" / "epoch_9.pth")
    with pytest.raises(FileNotFoundError, match="is a folder"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("kept", [0.3, 0.9])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_truncated_file_is_reported(tmp_path, model, suffix, kept):
    path = tmp_path / f"a{suffix}"
    if suffix == ".pth":
        save_checkpoint({"state_dict": model.state_dict()}, path)
    else:
        save_released(model, CONFIG, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(CheckpointError, match=r"a\.\w+ is truncated"):
        load_checkpoint(path)


@pytest.mark.parametrize("content", [b"", b"model = dict()", b"\xff\xd8\xff\xe0JFIF"])
def test_a_file_of_another_kind_is_reported(tmp_path, content):
    path = tmp_path / "a.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="is not a checkpoint"):
        load_checkpoint(path)


def test_a_file_without_weights_lists_its_entries(tmp_path):
    path = tmp_path / "a.pth"
    torch.save({"epoch": 3, "note": "empty"}, path)
    with pytest.raises(CheckpointError, match=r"no weights.*\['epoch', 'note'\]"):
        load_checkpoint(path)


class Payload:
    """Content of a malicious file, which creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_code_in_a_file_is_not_run(tmp_path):
    path = tmp_path / "a.pth"
    torch.save({"state_dict": {}, "extra": Payload(tmp_path / "touched")}, path)
    with pytest.raises(CheckpointError, match="contains Python objects"):
        load_checkpoint(path)
    assert not (tmp_path / "touched").exists()


def test_a_bare_state_dict_and_one_under_model_are_understood(tmp_path, model):
    for name, content in {
        "bare": model.state_dict(),
        "model": {"model": model.state_dict()},
    }.items():
        torch.save(content, tmp_path / f"{name}.pth")
        loaded = load_checkpoint(tmp_path / f"{name}.pth")
        assert loaded["state_dict"].keys() == model.state_dict().keys()


def test_a_released_checkpoint_contains_config_and_version(tmp_path, model):
    path = tmp_path / "a.safetensors"
    save_released(model, CONFIG, path)
    state_dict, config = load_released(path)
    assert config == CONFIG
    for key, value in model.state_dict().items():
        assert torch.equal(state_dict[key], value)
    header_size = struct.unpack("<Q", path.read_bytes()[:8])[0]
    metadata = json.loads(path.read_bytes()[8 : 8 + header_size])["__metadata__"]
    assert metadata["vgtoolbox_version"]


def test_half_precision_keeps_integers(tmp_path, model):
    path = tmp_path / "a.safetensors"
    save_released(model, CONFIG, path, dtype=torch.float16)
    state_dict, _ = load_released(path)
    assert state_dict["0.weight"].dtype == torch.float16
    assert state_dict["1.num_batches_tracked"].dtype == torch.int64


def test_tied_weights_are_released(tmp_path):
    tied = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    tied[1].weight = tied[0].weight
    save_released(tied, CONFIG, tmp_path / "a.safetensors")
    state_dict, _ = load_released(tmp_path / "a.safetensors")
    assert torch.equal(state_dict["0.weight"], state_dict["1.weight"])


def test_release_needs_its_suffix_and_its_config(tmp_path, model):
    with pytest.raises(CheckpointError, match=r"\.safetensors"):
        save_released(model, CONFIG, tmp_path / "a.pth")
    save_checkpoint({"state_dict": model.state_dict()}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="must be a released checkpoint with a config"):
        load_released(tmp_path / "a.pth")


@pytest.mark.parametrize("number", [np.float64(0.5), np.float32(0.5), np.int64(3), np.bool_(True)])
def test_numpy_numbers_are_plain_data(tmp_path, number):
    path = tmp_path / "published.pth"
    torch.save({"state_dict": {"a": torch.ones(1)}, "best": [number]}, path)
    assert load_checkpoint(path)["best"] == [number]


def test_numpy_objects_are_refused(tmp_path):
    path = tmp_path / "published.pth"
    torch.save({"state_dict": {"a": torch.ones(1)}, "best": np.array([print], dtype=object)}, path)
    with pytest.raises(CheckpointError, match="contains Python objects"):
        load_checkpoint(path)


@pytest.mark.parametrize("container", ["state_dict", "model", "module"])
def test_names_of_published_containers_and_files(tmp_path, container):
    path = tmp_path / "beit3_base_patch16_224.zip"
    torch.save({container: {"a": torch.ones(1)}, "epoch": 1}, path)
    assert torch.equal(load_checkpoint(path)["state_dict"]["a"], torch.ones(1))
    with pytest.raises(FileNotFoundError, match=r"in that folder: beit3_base_patch16_224\.zip"):
        load_checkpoint(path.with_suffix(".pth"))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".bin", ".pkl"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n",
            "pointer of git-lfs, not the weights: run git lfs pull",
        ),
        (b"\n<!DOCTYPE html><html><body>Log in</body></html>", "an HTML page, not the weights"),
    ],
)
def test_files_of_failed_downloads_are_recognized(tmp_path, suffix, content, message):
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(path)


@given(data=st.data())
def test_any_damage_is_an_error_that_names_the_file(tmp_path_factory, data):
    whole = io.BytesIO()
    torch.save({"state_dict": {"w": torch.arange(6.0)}, "meta": {"epoch": 1}}, whole)
    content = bytearray(whole.getvalue())
    for position in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=9)):
        content[position] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "x.pth"
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    with suppress(CheckpointError):
        load_checkpoint(path)
