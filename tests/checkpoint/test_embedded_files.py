import json
from pathlib import Path

import pytest

from vgtoolbox.checkpoint import (
    embedded_files,
    load_checkpoint,
    pack_files,
    save_released,
    tokenizer_files,
)


def config_with(path):
    steps = [{"type": "LoadImage"}, {"type": "T", "tokenizer": {"model_file": str(path)}}]
    return {"val_dataloader": {"dataset": {"pipeline": steps}}, "name": "model_file", "n": (1, 2)}


def model_file(config):
    return config["val_dataloader"]["dataset"]["pipeline"][1]["tokenizer"]["model_file"]


@pytest.fixture
def tokenizer(tmp_path):
    path = tmp_path / "tokenizer.spm"
    path.write_bytes(bytes(range(256)))
    return path


def test_finds_each_tokenizer_once():
    config = {"a": config_with("x.spm"), "b": (config_with("x.spm"), config_with("y.spm"))}
    assert tokenizer_files(config) == ["x.spm", "y.spm"]
    assert tokenizer_files({"model": {"type": "M"}}) == []


def test_a_released_checkpoint_contains_its_tokenizer(tokenizer, tmp_path):
    path = tmp_path / "released.safetensors"
    save_released({}, "x = 1", path, files=[tokenizer])
    tokenizer.unlink()
    config = config_with(tokenizer)
    with embedded_files(config, load_checkpoint(path)["meta"]["files"]) as resolved:
        unpacked = Path(model_file(resolved))
        assert unpacked != tokenizer
        assert unpacked.read_bytes() == bytes(range(256))
    assert not unpacked.exists()
    assert model_file(config) == str(tokenizer)  # the caller's config stays as it was


def test_a_file_in_another_folder_is_identified_by_its_name(tokenizer):
    moved = config_with(Path("elsewhere") / tokenizer.name)
    with embedded_files(moved, pack_files([tokenizer])) as resolved:
        assert Path(model_file(resolved)).read_bytes() == tokenizer.read_bytes()


def test_files_that_are_not_embedded_keep_their_paths(tokenizer):
    with embedded_files(config_with("other.spm"), pack_files([tokenizer])) as resolved:
        assert resolved == config_with("other.spm")
    with embedded_files(config_with("other.spm"), "") as resolved:
        assert resolved == config_with("other.spm")


def test_an_embedded_path_cannot_leave_the_folder(tmp_path):
    outside = str(tmp_path / "up" / ".." / "evil.spm")
    with embedded_files(config_with(outside), json.dumps({outside: "YWJj"})) as resolved:
        assert Path(model_file(resolved)).read_text() == "abc"
    assert not (tmp_path / "evil.spm").exists()


@pytest.mark.parametrize("packed", ["{", "[1]", '{"a": "?"}', '{"a": 1}'])
def test_invalid_embedded_files_are_reported(packed):
    with (
        pytest.raises(ValueError, match="of the checkpoint can't be read"),
        embedded_files({}, packed),
    ):
        raise AssertionError("nothing to read")


@pytest.mark.parametrize(
    "name", ["..", ".", "", "/", "../../etc/passwd", "a" * 300, "a\0b", "sub/../../x", "é\ud800"]
)
def test_names_in_a_checkpoint_do_not_leave_the_folder(name, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    packed = json.dumps({name: "YWJj"})
    with embedded_files({"a": {"model_file": name}}, packed) as resolved:
        place = Path(resolved["a"]["model_file"])
        assert place.read_bytes() == b"abc"
        assert place.resolve().is_relative_to(tmp_path.resolve())
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert files == [place]
    assert not list(tmp_path.iterdir())
