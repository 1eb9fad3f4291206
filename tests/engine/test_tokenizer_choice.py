"""Training from a checkpoint that contains another tokenizer than the config names."""

import json
from pathlib import Path

import pytest
from mmengine.config import Config

from vgtoolbox.checkpoint import CheckpointError, load_checkpoint, pack_files, save_released
from vgtoolbox.checkpoint.embedded_files import METADATA_KEY, embedded_files
from vgtoolbox.checkpoint.tokenizer_digests import DIGESTS_KEY, tokenizer_digests
from vgtoolbox.engine import ConfigError, train
from vgtoolbox.engine.tokenizer_choice import settle_tokenizer


def config(path, work_dir, key="model_file", kind="BEiT3Tokenizer", *, resume=False):
    steps = [{"type": "TokenizeExpression", "tokenizer": {"type": kind, key: str(path)}}]
    return Config(
        {
            "train_dataloader": {"dataset": {"pipeline": steps}},
            "work_dir": str(work_dir),
            "resume": resume,
        }
    )


def tokenizer_of(cfg):
    return cfg.train_dataloader.dataset.pipeline[0].tokenizer.model_file


@pytest.fixture
def carried(tmp_path):
    """Return the content of a checkpoint with a tokenizer that the config's file differs from."""
    file = tmp_path / "trained" / "tokenizer.spm"
    file.parent.mkdir()
    file.write_bytes(b"red square")
    own = tmp_path / "mine" / "tokenizer.spm"
    own.parent.mkdir()
    own.write_bytes(b"square red")  # of the same size
    return own, {"meta": {METADATA_KEY: pack_files([file])}}


def test_a_difference_is_an_error_that_names_both_and_the_choices(carried, tmp_path):
    own, checkpoint = carried
    with pytest.raises(ConfigError) as caught:
        settle_tokenizer(config(own, tmp_path), checkpoint, source="a.safetensors", choice=None)
    message = str(caught.value)
    assert str(own) in message
    assert "trained/tokenizer.spm in the checkpoint" in message
    assert "--tokenizer checkpoint" in message
    assert "--tokenizer config" in message


@pytest.mark.parametrize("name", ["tokenizer.spm", "beit3.spm", "tokenizer.model"])
def test_the_tokenizer_of_the_checkpoint_is_written_to_the_work_dir(carried, tmp_path, name):
    own, checkpoint = carried
    own = own.rename(own.with_name(name))
    cfg = config(own, tmp_path / "run")
    chosen = settle_tokenizer(cfg, checkpoint, source="a.safetensors", choice="checkpoint")
    assert tokenizer_of(chosen).startswith(str(tmp_path / "run" / "tokenizer"))
    assert Path(tokenizer_of(chosen)).read_bytes() == b"red square"
    assert tokenizer_of(cfg) == str(own)
    settle_tokenizer(chosen, checkpoint, source="a.safetensors", choice=None)  # no difference left


@pytest.mark.parametrize("name", ["..", "../../evil.spm", "/etc/evil.spm", "a" * 500 + ".spm"])
def test_a_name_in_a_checkpoint_cannot_leave_the_work_dir(carried, tmp_path, name):
    own, _ = carried
    checkpoint = {"meta": {METADATA_KEY: pack_files({name: b"x"})}}
    cfg = config(own if name != ".." else tmp_path / "mine" / "..", tmp_path / "run")
    chosen = settle_tokenizer(cfg, checkpoint, source="a", choice="checkpoint")
    written = Path(tokenizer_of(chosen))
    assert written.read_bytes() == b"x"
    assert written.parent == tmp_path / "run" / "tokenizer" / "0"


def test_the_tokenizer_of_the_config_can_be_kept_unless_training_resumes(carried, tmp_path):
    own, checkpoint = carried
    kept = settle_tokenizer(config(own, tmp_path), checkpoint, source="a", choice="config")
    assert tokenizer_of(kept) == str(own)
    with pytest.raises(ConfigError, match="so the same words have different ids") as caught:
        settle_tokenizer(
            config(own, tmp_path, resume=True), checkpoint, source="a.pth", choice="config"
        )
    assert "--tokenizer config" not in str(caught.value)


def test_an_equal_tokenizer_of_another_name_is_accepted(carried, tmp_path):
    own, checkpoint = carried
    own.write_bytes(b"red square")
    moved = own.rename(own.with_name("copy.spm"))
    settle_tokenizer(config(moved, tmp_path), checkpoint, source="a", choice=None)


def test_a_checkpoint_without_a_tokenizer_differs_from_none(carried, tmp_path):
    own, _ = carried
    settle_tokenizer(config(own, tmp_path), {"meta": {}}, source="a.pth", choice=None)
    with pytest.raises(ConfigError, match=r"--tokenizer checkpoint needs .* contains none"):
        settle_tokenizer(config(own, tmp_path), {}, source="a.pth", choice="checkpoint")


@pytest.mark.parametrize("name", ["vocab.txt", "tokenizer.json", "merges.txt"])
@pytest.mark.parametrize("from_folder", [True, False], ids=["published folder", "digests"])
def test_folders_of_language_models_are_compared(tmp_path, name, from_folder):
    published, own = tmp_path / "published", tmp_path / "own"
    for folder, text in ((published, "ab"), (own, "ba")):
        folder.mkdir()
        (folder / name).write_text(text)
    key = {"key": "folder", "kind": "HuggingFaceChatTokenizer"}
    digests = tokenizer_digests(config(published, tmp_path, **key).to_dict())
    checkpoint = {} if from_folder else {"meta": {DIGESTS_KEY: digests}}
    source = str(published) if from_folder else "iter_9.pth"
    with pytest.raises(ConfigError, match=rf"own/{name} .*differs from .*published/{name}"):
        settle_tokenizer(config(own, tmp_path, **key), checkpoint, source=source, choice=None)
    settle_tokenizer(config(published, tmp_path, **key), checkpoint, source=source, choice=None)


def test_a_vocabulary_in_a_folder_or_a_file_is_one(tmp_path):
    (tmp_path / "vocab.txt").write_text("[PAD]")
    folder, file = (
        tokenizer_digests(config(path, tmp_path, kind="BertTokenizer").to_dict())
        for path in (tmp_path, tmp_path / "vocab.txt")
    )
    assert folder == file
    assert len(file) == 1


@pytest.mark.parametrize("packed", ["{", json.dumps({"tokenizer.spm": 3})])
def test_damaged_files_in_a_checkpoint_are_named(carried, tmp_path, packed):
    own, _ = carried
    checkpoint = {"meta": {METADATA_KEY: packed}}
    for choice in (None, "checkpoint"):
        with pytest.raises(CheckpointError, match=r"a\.pth: the embedded files .* copy it again"):
            settle_tokenizer(config(own, tmp_path), checkpoint, source="a.pth", choice=choice)


@pytest.fixture
def with_tokenizer(toy_config):
    """Return a function that reads the toy config with a tokenizer in a test split."""

    def read(name, path, **options):
        cfg = toy_config(name, **options)
        cfg.test_splits.odd.tokenizer = {"type": "BEiT3Tokenizer", "model_file": str(path)}
        return cfg

    return read


def test_training_checks_load_from_and_resume(with_tokenizer, carried, tmp_path):
    own, _ = carried
    trained = tmp_path / "trained" / "tokenizer.spm"
    once = {"train_cfg.max_epochs": 1}
    cfg = with_tokenizer("first", trained, **once)
    runner = train(cfg)
    checkpoint = load_checkpoint(f"{cfg.work_dir}/epoch_1.pth")
    with embedded_files(cfg.to_dict(), checkpoint["meta"][METADATA_KEY]) as resolved:
        assert resolved["test_splits"]["odd"]["tokenizer"]["model_file"] != str(trained)

    released = tmp_path / "released.safetensors"
    save_released(runner.bare_model, runner.config_text, released, files=[trained])
    for source in (released, f"{cfg.work_dir}/epoch_1.pth"):
        with pytest.raises(ConfigError, match="so the same words have different ids"):
            train(with_tokenizer("second", own, **once), load_from=source)
    with pytest.raises(ConfigError, match="so the same words have different ids"):
        train(with_tokenizer("first", own), resume=True)
    resumed = train(with_tokenizer("first", own), resume=True, tokenizer="checkpoint")
    assert resumed.epoch == 2
    copy = resumed.cfg.test_splits.odd.tokenizer.model_file
    assert copy == f"{cfg.work_dir}/tokenizer/0/tokenizer.spm"
    meta = load_checkpoint(f"{cfg.work_dir}/epoch_2.pth")["meta"]
    assert json.loads(meta[METADATA_KEY]).keys() == {copy}
    third = with_tokenizer("third", own, **once)
    assert train(third, load_from=released, tokenizer="config").epoch == 1
