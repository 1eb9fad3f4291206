"""Files of torch whose numbers do not fit their content, or which are not data."""

import argparse
import io
import pickle
import struct
import zipfile
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch

from vgtoolbox.utils.restricted_pickle import RefusedPickleError
from vgtoolbox.utils.torch_files import TorchFileError, UnusableTorchFileError, load_torch_file

ONE_STORAGE = b"K\x04t"  # number of items in a reference to the storage of four numbers


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.pth"


def saved(value, *, legacy=False):
    buffer = io.BytesIO()
    torch.save(value, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


def rewritten(change, value=None, *, compression=zipfile.ZIP_STORED, more=()):
    """Return an archive of four numbers whose pickle was changed by a function."""
    source = zipfile.ZipFile(io.BytesIO(saved(value or {"w": torch.arange(4.0)})))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as target:
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, change(content) if name.endswith("data.pkl") else content)
        for name, content in more:
            target.writestr(name, content)
    return buffer.getvalue()


def with_pickle(body):
    """Return an archive whose pickle is the given one of protocol 2."""
    return rewritten(lambda _: b"\x80\x02" + body + b".")


model = torch.nn.BatchNorm1d(3)
big = torch.arange(100.0).reshape(10, 10)
VALUES = {
    "state dict": model.state_dict(),
    "parameters": dict(model.named_parameters()),
    "optimizer": torch.optim.AdamW(model.parameters()).state_dict(),
    "views": [big[2:4], big.t(), big[:, 3], torch.ones(1).expand(5)],
    "dtypes": [
        torch.ones(2, dtype=dtype)
        for dtype in (torch.bfloat16, torch.int8, torch.bool, torch.complex64, torch.float64)
    ],
    "empty": [torch.zeros(0), torch.zeros(2, 0, 3), torch.tensor(1.0)],
    "plain": [None, True, 2**70, 0.5, "é", b"\xff\x00", bytearray(b"\xf0"), {1, 2}, 1j, (0.9,)],
    "torch": [torch.Size([1, 2]), torch.device("cpu"), torch.float32],
    "others": [Counter("aab"), argparse.Namespace(a=1), np.float32(0.5), np.int64(3), np.bool_(1)],
}


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("name", VALUES)
def test_tensors_and_plain_values_are_read(path, name, legacy, lazy):
    path.write_bytes(saved({"value": VALUES[name]}, legacy=legacy))
    loaded = load_torch_file(path, lazy=lazy)["value"]
    expected = torch.load(path, weights_only=False)["value"]
    assert repr(loaded) == repr(expected)


@pytest.mark.parametrize(
    "change",
    [
        # The storage is said to have more, or fewer, items than the file has.
        lambda c: c.replace(ONE_STORAGE, b"M\xe8\x03t"),
        lambda c: c.replace(ONE_STORAGE, b"J\xff\xff\xff\x7ft"),
        lambda c: c.replace(ONE_STORAGE, b"\x8a\x08" + struct.pack("<q", 2**62) + b"t"),
        lambda c: c.replace(ONE_STORAGE, b"J\xff\xff\xff\xfft"),
        lambda c: c.replace(b"FloatStorage", b"DoubleStorage"),
        lambda c: c.replace(b"X\x01\x00\x00\x000q", b"X\x01\x00\x00\x007q"),
        # The tensor is larger than its storage, begins behind it or has impossible sizes.
        lambda c: c.replace(b"QK\x00K\x04\x85", b"QK\x00K\x05\x85"),
        lambda c: c.replace(b"QK\x00K\x04\x85", b"QK\x01K\x04\x85"),
        lambda c: c.replace(b"QK\x00K\x04\x85", b"QJ\xff\xff\xff\xffK\x04\x85"),
        lambda c: c.replace(b"QK\x00K\x04\x85", b"QK\x00J\xff\xff\xff\xff\x85"),
        lambda c: c.replace(b"K\x01\x85q\x09", b"K\x7f\x85q\x09"),
        lambda c: c.replace(b"K\x01\x85q\x09", b"J\xff\xff\xff\xff\x85q\x09"),
    ],
)
def test_numbers_that_do_not_fit_the_file_are_refused(path, change):
    content = rewritten(lambda old: old)
    assert (load_torch_file(_write(path, content))["w"] == torch.arange(4.0)).all()
    changed = rewritten(change)
    assert changed != content
    with pytest.raises((TorchFileError, RefusedPickleError)):
        load_torch_file(_write(path, changed))


def _write(path, content):
    path.write_bytes(content)
    return path


def test_a_tensor_may_not_repeat_a_storage_without_end(path):
    with pytest.raises(TorchFileError, match="many times larger than the file"):
        load_torch_file(_write(path, saved({"w": torch.ones(1).expand(2**40)})))
    shared = torch.zeros(2**20)
    with pytest.raises(TorchFileError, match="many times larger than the file"):
        load_torch_file(_write(path, saved([shared[:] for _ in range(40)])))
    tied = {"in": shared, "out": shared}
    assert load_torch_file(_write(path, saved(tied)))["in"].shape == (2**20,)


@pytest.mark.parametrize(
    "body",
    [
        b"ctorch\nFloatTensor\n\x8a\x05\x00\x00\x00\x00\x10\x85R",  # 2^36 numbers
        b"c__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85R",
        b"c_codecs\nencode\nX\x01\x00\x00\x00aX\x08\x00\x00\x00punycode\x86R",
        b"c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00hex\x86R",
        b"ccollections\nCounter\nX\x01\x00\x00\x00a\x85R",
        b"cos\nsystem\nX\x01\x00\x00\x00a\x85R",
        b"ctorch.hub\nload\nX\x01\x00\x00\x00a\x85R",
        b"ctorch\nload\nX\x01\x00\x00\x00a\x85R",
        b"cnumpy\ndtype\nX\x02\x00\x00\x00O8\x85R",
        b"cargparse\nNamespace\n)\x81K\x01b",
        b"ctorch._utils\n_rebuild_tensor_v2\n(NK\x00))\x89NtR",
        b"(X\x07\x00\x00\x00storageNX\x01\x00\x00\x000NK\x01tQ",
        b"K\x05Q",
    ],
)
def test_calls_with_other_arguments_are_refused(path, body):
    with pytest.raises((RefusedPickleError, TorchFileError)):
        load_torch_file(_write(path, with_pickle(body)))


@pytest.mark.parametrize(
    "body",
    [
        b"})" + b"\x85" * 200_000 + b"K\x01s",  # levels
        b"})q\x01h\x01" + b"\x86q\x01h\x01" * 40 + b"\x86K\x01s",  # 2^40 leaves
        b"]r\xff\xff\xff\x7f",  # a memo of 2^31 entries
        b"X\xff\xff\xff\x7fabc",
        b"\x85\x85",
    ],
)
def test_pickles_that_crash_or_hang_the_reader_are_refused(path, body):
    with pytest.raises((TorchFileError, RefusedPickleError)):
        load_torch_file(_write(path, with_pickle(body)))


class _Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("legacy", [False, True])
def test_code_is_refused_by_name_and_does_not_run(path, tmp_path, legacy):
    witness = tmp_path / "witness"
    content = saved({"state_dict": {}, "x": _Touch(witness)}, legacy=legacy)
    with pytest.raises(RefusedPickleError, match=r"asks for the global '__builtin__\.getattr'"):
        load_torch_file(_write(path, content))
    assert not witness.exists()


def quantized():
    return torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
@pytest.mark.parametrize(
    ("value", "named"),
    [
        (quantized, "a quantized tensor"),
        (lambda: torch.eye(3).to_sparse(), "a sparse tensor"),
        (lambda: torch.empty(3, device="meta"), "a tensor without values"),
    ],
)
def test_tensors_that_no_model_takes_are_named(path, value, named):
    with pytest.raises(UnusableTorchFileError, match=named):
        load_torch_file(_write(path, saved({"w": value()})))


def test_a_compressed_archive_is_read_unless_it_is_a_bomb(path):
    random = {"w": torch.randn(1000)}
    packed = rewritten(lambda old: old, random, compression=zipfile.ZIP_DEFLATED)
    assert torch.equal(load_torch_file(_write(path, packed))["w"], random["w"])
    zeros = {"w": torch.zeros(20 << 20)}
    bomb = rewritten(lambda old: old, zeros, compression=zipfile.ZIP_DEFLATED)
    assert len(bomb) < 2**20
    with pytest.raises(TorchFileError, match="but the file has"):
        load_torch_file(_write(path, bomb))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda: rewritten(lambda c: c, more=[("archive/data/0", b"")]), "two records"),
        (lambda: rewritten(lambda c: c, more=[("archive/code/x.py", b"")]), "TorchScript"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_of_other_kinds_are_named(path, content, message):
    with pytest.raises(TorchFileError, match=message):
        load_torch_file(_write(path, content()))


def test_an_archive_of_a_checkpoint_says_to_unpack_it(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights/model.safetensors", b"")
    with pytest.raises(
        UnusableTorchFileError, match=r"contains weights/model\.safetensors; unpack"
    ):
        load_torch_file(path)


@pytest.mark.parametrize("missing", [1, 8, 100, 420])
def test_a_truncated_legacy_file_is_refused(path, missing):
    content = saved({"w": torch.arange(100.0)}, legacy=True)
    with pytest.raises(TorchFileError):
        load_torch_file(_write(path, content[:-missing]))


def test_a_legacy_file_may_not_ask_for_more_than_it_has(path):
    content = saved({"w": torch.arange(4.0)}, legacy=True)
    changed = content.replace(b"K\x04N", b"J\xff\xff\xff\x7fN")
    assert changed != content
    with pytest.raises(TorchFileError):
        load_torch_file(_write(path, changed))


def test_the_functions_of_the_reader_are_not_modified(path):
    with pytest.raises((RefusedPickleError, pickle.UnpicklingError)):
        load_torch_file(_write(path, with_pickle(b"ctorch\nfloat32\n}b")))


SHARED = b")q\x63h\x63" + b"\x86q\x63h\x63" * 60 + b"\x86"
"""A tuple of 2^60 leaves, which may be stored, but neither hashed nor written into a message."""


@pytest.mark.parametrize(
    "body",
    [
        b"ctorch._utils\n_rebuild_tensor_v2\n(N" + SHARED + SHARED + b"0" + SHARED + b"tR",
        b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\n" + SHARED + b"NK\x01tQ",
        SHARED + b"Q",
        SHARED + b")R",
        b"cnumpy\ndtype\n" + SHARED + b"\x85R",
        b"c_codecs\nencode\nX\x01\x00\x00\x00a" + SHARED + b"\x86R",
        b"c__builtin__\nbytearray\n" + SHARED + b"\x85R",
        b"ctorch\nSize\n" + SHARED + b"\x85R",
    ],
)
def test_shared_parts_are_not_written_into_messages(path, body):
    with suppress(TorchFileError, RefusedPickleError):
        load_torch_file(_write(path, with_pickle(body)))


def test_shared_parts_in_a_legacy_file_are_not_written_into_messages(path):
    content = saved({"w": torch.arange(4.0)}, legacy=True)
    magic, rest = content[:15], content[15:]
    assert rest.startswith(b"\x80\x02M\xe9\x03.")
    for changed in (
        magic + b"\x80\x02" + SHARED + b"." + rest[6:],
        content[: content.rindex(b"\x80\x02]")] + b"\x80\x02(" + SHARED + b"l.",
    ):
        with pytest.raises((TorchFileError, RefusedPickleError)):
            load_torch_file(_write(path, changed))
