"""Files that are recognized by their content, and files that are not checkpoints."""

import bz2
import errno
import gzip
import lzma
import os
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from vgtoolbox.checkpoint import CheckpointError, MissingCheckpointError, load_checkpoint

WEIGHTS = {"a.weight": torch.arange(4.0), "a.bias": torch.ones(2)}


def is_loaded(path):
    state = load_checkpoint(path)["state_dict"]
    return state.keys() == WEIGHTS.keys() and torch.equal(state["a.weight"], WEIGHTS["a.weight"])


@pytest.mark.parametrize("name", ["x.pth", "x.bin", "x.ckpt", "x.safetensors", "x.pkl", "x"])
def test_the_content_decides_and_not_the_name(tmp_path, name):
    path = tmp_path / name
    save_file(WEIGHTS, path)
    assert is_loaded(path)
    for legacy in (False, True):
        torch.save({"state_dict": WEIGHTS}, path, _use_new_zipfile_serialization=not legacy)
        assert is_loaded(path)


@pytest.mark.parametrize("name", ["x.pkl", "x.pth", "x.safetensors"])
def test_arrays_are_recognized_under_any_name(tmp_path, name):
    path = tmp_path / name
    arrays = {key: value.numpy() for key, value in WEIGHTS.items()}
    np.asarray(arrays, dtype=object).dump(path)  # a pickle of objects is refused
    with pytest.raises(CheckpointError):
        load_checkpoint(path)
    path.write_bytes(pickle.dumps({"model": arrays, "__author__": "someone"}))
    assert is_loaded(path)


def tarred(content, folder):
    (folder / "inside.pth").write_bytes(content)
    with tarfile.open(folder / "x.tar", "w") as archive:
        archive.add(folder / "inside.pth", "inside.pth")
    return (folder / "x.tar").read_bytes()


def zipped(content, folder):
    with zipfile.ZipFile(folder / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inside.pth", content)
    return (folder / "x.zip").read_bytes()


@pytest.mark.parametrize("name", ["y.pth", "y.safetensors", "y.bin"])
@pytest.mark.parametrize(
    ("pack", "message"),
    [
        (lambda content, _: gzip.compress(content), r"compressed with gzip \(gunzip\); unpack it"),
        (lambda content, _: bz2.compress(content), r"compressed with bzip2"),
        (lambda content, _: lzma.compress(content), r"compressed with xz"),
        (tarred, "a tar archive; unpack it"),
        (zipped, r"a zip archive that contains inside\.pth; unpack it"),
        (lambda *_: b"", "it is empty; download it again"),
        (lambda *_: b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (lambda *_: b"GGUF\x03\x00\x00\x00", "a GGUF file"),
        (lambda *_: b"\x93NUMPY\x01\x00", "a NumPy array"),
        (lambda *_: b'{"weight_map": {}}', "a JSON file"),
        (lambda *_: b"<?xml version='1.0'?><Error/>", "an XML page, not the weights"),
        (lambda *_: b"\xef\xbb\xbf<!DOCTYPE html>", "an HTML page, not the weights"),
        (lambda *_: b"PK\x05\x06" + bytes(18), "an empty zip archive"),
        (lambda *_: bytes(4096), "begins with"),
    ],
)
def test_files_of_other_kinds_are_named_with_the_next_step(tmp_path, name, pack, message):
    whole = tmp_path / "whole.pth"
    torch.save(WEIGHTS, whole)
    path = tmp_path / name
    path.write_bytes(pack(whole.read_bytes(), tmp_path))
    with pytest.raises(CheckpointError, match=rf"{name} is .*{message}"):
        load_checkpoint(path)


def test_links_and_special_files_are_named(tmp_path):
    (tmp_path / "loop.pth").symlink_to(tmp_path / "loop.pth")
    with pytest.raises(CheckpointError, match=r"loop\.pth can't be read: .*leads back to itself"):
        load_checkpoint(tmp_path / "loop.pth")
    (tmp_path / "broken.pth").symlink_to("gone.pth")
    with pytest.raises(MissingCheckpointError, match=r"symbolic link to gone\.pth, which does not"):
        load_checkpoint(tmp_path / "broken.pth")
    os.mkfifo(tmp_path / "pipe.pth")
    with pytest.raises(CheckpointError, match="a device, a pipe or a socket"):
        load_checkpoint(tmp_path / "pipe.pth")
    with pytest.raises(CheckpointError, match="can't be read"):
        load_checkpoint("a\0b.pth")
    with pytest.raises(CheckpointError, match="name is too long"):
        load_checkpoint("a" * 300 + ".pth")
    torch.save(WEIGHTS, tmp_path / "x.pth")
    with pytest.raises(MissingCheckpointError, match="does not exist"):
        load_checkpoint(tmp_path / "x.pth" / "y.pth")
    (tmp_path / "link.pth").symlink_to("x.pth")
    assert is_loaded(tmp_path / "link.pth")


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM])
def test_a_file_without_permission_is_named(tmp_path, monkeypatch, code):
    path = tmp_path / "x.pth"
    torch.save(WEIGHTS, path)

    def refuse(*_, **__):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(CheckpointError, match=r"x\.pth can't be read: permission denied; change"):
        load_checkpoint(path)
