import os
from pathlib import Path

import pytest

from vgtoolbox.checkpoint import load_checkpoint
from vgtoolbox.checkpoint.config_text import read_config_text
from vgtoolbox.engine import find_last_checkpoint, train


def test_max_keep_ckpts_is_respected_across_a_resume(toy_config, tmp_path):
    keep = {"default_hooks.checkpoint.max_keep_ckpts": 2}
    train(toy_config(**keep, **{"train_cfg.max_epochs": 3}))
    train(toy_config(**keep, **{"train_cfg.max_epochs": 5}), resume=True)
    epochs = {path.name for path in (tmp_path / "run").glob("epoch_*.pth")}
    assert epochs == {"epoch_4.pth", "epoch_5.pth"}


def test_one_best_checkpoint_per_metric_is_kept(toy_config, tmp_path):
    watched = {"default_hooks.checkpoint.save_best": ["gres/gIoU", "grec/N-acc"]}
    train(toy_config(**watched, **{"train_cfg.max_epochs": 4}))
    best = sorted(path.name for path in (tmp_path / "run").glob("best_*.pth"))
    assert len(best) == 2
    assert best[0].startswith("best_grec_N-acc_")
    assert best[1].startswith("best_gres_gIoU_")


def test_resuming_a_finished_run_changes_nothing(toy_config):
    cfg = toy_config()
    train(cfg)
    last = Path(cfg.work_dir, "epoch_2.pth")
    content = last.read_bytes()
    train(toy_config(), resume=True)
    assert last.read_bytes() == content


def test_the_last_checkpoint_is_found_in_a_moved_work_dir(toy_config, tmp_path):
    train(toy_config())
    assert find_last_checkpoint(tmp_path / "run") == tmp_path / "run" / "epoch_2.pth"
    moved = (tmp_path / "run").rename(tmp_path / "moved")
    assert find_last_checkpoint(moved) == moved / "epoch_2.pth"
    assert find_last_checkpoint(tmp_path / "nowhere") is None


def test_a_checkpoint_contains_the_averaged_weights_and_the_config(toy_config):
    cfg = toy_config()
    runner = train(cfg)
    checkpoint = load_checkpoint(Path(cfg.work_dir, "epoch_2.pth"))
    raw = runner.bare_model.state_dict()
    averaged = checkpoint["state_dict"]
    assert not averaged["head.weight"].equal(raw["head.weight"])
    assert checkpoint["ema_state_dict"]["module.head.weight"].equal(raw["head.weight"])
    config = read_config_text(checkpoint["config"])
    assert config["model"] == cfg.model
    assert config["test_splits"] == cfg.test_splits


def test_the_name_of_a_work_dir_may_be_any_bytes(toy_config, tmp_path):
    work_dir = tmp_path / os.fsdecode(b"caf\xe9\xff")
    try:
        work_dir.mkdir()
    except OSError as error:
        pytest.skip(f"this file system refuses the name: {error}")
    train(toy_config(work_dir=str(work_dir)))
    assert find_last_checkpoint(work_dir) == work_dir / "epoch_2.pth"
    train(toy_config(work_dir=str(work_dir), **{"train_cfg.max_epochs": 3}), resume=True)
    assert find_last_checkpoint(work_dir) == work_dir / "epoch_3.pth"
