"""Published folders whose index and files do not fit each other."""

import json

import pytest
import torch
from safetensors.torch import save_file

from vgtoolbox.checkpoint import CheckpointError, MissingCheckpointError, load_checkpoint
from vgtoolbox.checkpoint.sharded import ShardedState

PARTS = {
    "model-1.safetensors": {"a": torch.arange(4.0), "b": torch.ones(2, 3)},
    "model-2.safetensors": {"c": torch.zeros(1)},
}
INDEX = "model.safetensors.index.json"
PLACES = {"a": "model-1.safetensors", "b": "model-1.safetensors", "c": "model-2.safetensors"}


@pytest.fixture
def folder(tmp_path):
    for name, part in PARTS.items():
        save_file(part, tmp_path / name)
    write_index(tmp_path, PLACES)
    return tmp_path


def write_index(folder, places):
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": places}))


def refusal(folder):
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(folder)
    assert str(folder) in str(caught.value)
    return str(caught.value)


def test_shards_of_safetensors_and_of_torch_are_read(folder):
    for convert in (False, True):
        if convert:
            (folder / INDEX).unlink()
            names = {name: name.replace(".safetensors", ".bin") for name in PARTS}
            for name, part in PARTS.items():
                torch.save(part, folder / names[name])
            places = {key: names[file] for key, file in PLACES.items()}
            content = json.dumps({"weight_map": places})
            (folder / "pytorch_model.bin.index.json").write_text(content)
        state = load_checkpoint(folder)["state_dict"]
        assert isinstance(state, ShardedState)
        assert torch.equal(state["a"], PARTS["model-1.safetensors"]["a"])
        assert {key: list(value.shape) for key, value in state.shapes().items()} == {
            "a": [4],
            "b": [2, 3],
            "c": [1],
        }


def test_a_file_of_the_older_format_and_a_wrapped_one_are_read(tmp_path):
    weights = {"state_dict": {"a": torch.ones(2)}}
    torch.save(weights, tmp_path / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    assert torch.equal(load_checkpoint(tmp_path)["state_dict"]["a"], torch.ones(2))


@pytest.mark.parametrize(
    "name", ["../x.safetensors", "/etc/passwd", "sub/x.safetensors", "..", "", "a\\b", 3, None, "."]
)
def test_a_shard_outside_of_the_folder_is_refused(folder, name):
    write_index(folder, {**PLACES, "c": name})
    assert "the file of c must be in the same folder" in refusal(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not valid JSON"),
        ("", "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
        ('{"weight_map": {"a": "x", "a": "y"}}', "the key 'a' is given twice"),
        ("[]", "must have a 'weight_map'"),
        ('{"weight_map": []}', "must have a 'weight_map'"),
        ('{"weight_map": {}}', "must have a 'weight_map'"),
        ("version https://git-lfs.github.com/spec/v1\n", "a pointer of git-lfs"),
        ("<!doctype html>", "an HTML page"),
    ],
)
def test_an_index_that_is_not_one_is_named(folder, content, message):
    (folder / INDEX).write_text(content)
    assert message in refusal(folder)
    assert INDEX in refusal(folder)


def test_an_index_in_latin_1_is_named(folder):
    (folder / INDEX).write_bytes(b'{"weight_map": {"\xe9": "x"}}')
    assert "is not valid JSON" in refusal(folder)


def test_a_missing_shard_is_named(folder):
    (folder / "model-2.safetensors").unlink()
    with pytest.raises(MissingCheckpointError, match=r"got none for model-2\.safetensors; downl"):
        load_checkpoint(folder)


def test_a_shard_of_another_version_is_named(folder):
    save_file({"d": torch.zeros(1)}, folder / "model-2.safetensors")
    assert "1 tensors are not in the files that the index names, such as c in model-2.safet" in (
        refusal(folder)
    )


def test_a_tensor_in_two_shards_is_named(folder):
    save_file({"c": torch.zeros(1), "a": torch.zeros(4)}, folder / "model-2.safetensors")
    assert "such as a in model-1.safetensors, model-2.safetensors" in refusal(folder)


def test_a_tensor_that_the_index_forgets_is_read(folder):
    save_file({"c": torch.zeros(1), "d": torch.zeros(4)}, folder / "model-2.safetensors")
    assert set(load_checkpoint(folder)["state_dict"]) == {"a", "b", "c", "d"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a pointer of git-lfs"),
        (b"", "it is empty"),
        (b"\x10\x00\x00\x00\x00\x00\x00\x00{}", "truncated or damaged"),
        (b"PK\x03\x04" + bytes(100), "truncated or damaged"),
        (b"\x80\x04}.", "plain pickle"),
    ],
)
def test_a_damaged_shard_is_named(folder, content, message):
    (folder / "model-2.safetensors").write_bytes(content)
    assert message in refusal(folder)
    assert "model-2.safetensors" in refusal(folder)


def test_a_folder_without_weights_says_what_it_has(tmp_path):
    assert "is a folder without weights" in refusal(tmp_path)
    (tmp_path / "adapter_config.json").write_text("{}")
    assert "a peft adapter" in refusal(tmp_path)
    (tmp_path / "adapter_config.json").unlink()
    (tmp_path / "epoch_3.pth").touch()
    assert "name one of its files: epoch_3.pth" in refusal(tmp_path)


def test_a_folder_in_place_of_a_shard_is_named(folder):
    (folder / "model-2.safetensors").unlink()
    (folder / "model-2.safetensors").mkdir()
    assert "got none for model-2.safetensors" in refusal(folder)


@pytest.mark.parametrize("content", ["{", "[" * 100_000])
def test_a_damaged_config_of_a_folder_is_named(folder, content):
    (folder / "config.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"config\.json is not valid JSON"):
        _ = ShardedState(folder).config


def test_names_can_be_changed_without_reading(folder):
    view = ShardedState(folder).renamed({"x.a": "a", "c": "c"})
    assert set(view) == {"x.a", "c"}
    assert torch.equal(view["x.a"], torch.arange(4.0))
