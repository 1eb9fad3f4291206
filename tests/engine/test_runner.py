import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest
import torch

from vgtoolbox import engine
from vgtoolbox.checkpoint import CheckpointMismatchError, load_checkpoint, save_released
from vgtoolbox.engine import ConfigError, build_runner, train
from vgtoolbox.engine.runner import prepare_config
from vgtoolbox.evaluation import read_predictions
from vgtoolbox.registry import MODELS, UnknownTypeError
from vgtoolbox.utils.locks import OutputInUseError, lock_output

EPOCH_ITERATIONS = 6  # 21 samples in batches of 4


def assert_equal_state(found, expected, where="checkpoint"):
    """Compare nested states for exact equality."""
    assert type(found) is type(expected), where
    if isinstance(expected, torch.Tensor):
        assert torch.equal(found, expected), where
    elif isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for key in expected:
            assert_equal_state(found[key], expected[key], f"{where}[{key!r}]")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for index, pair in enumerate(zip(found, expected, strict=True)):
            assert_equal_state(*pair, f"{where}[{index}]")
    else:
        assert found == expected, where


def final_state(cfg, name="epoch_2"):
    """Return the parts of the last checkpoint that must be reproduced."""
    checkpoint = load_checkpoint(f"{cfg.work_dir}/{name}.pth")
    hub = checkpoint["message_hub"]["runtime_info"]
    names = ("state_dict", "ema_state_dict", "optimizer", "param_schedulers")
    return {
        **{name: checkpoint[name] for name in names},
        "best_score": hub["best_score"],
        "validations": checkpoint["message_hub"]["log_scalars"]["val/gres/gIoU"]["values"],
        "best": hub["best_ckpt"].rpartition("/")[2],
    }


@pytest.mark.parametrize(
    ("moment", "at"),
    [("train", EPOCH_ITERATIONS + 3), ("val", 1), ("val", 2), ("save", 2), ("train", 2)],
    ids=[
        "mid-epoch 2",
        "in validation 1",
        "in the last validation",
        "while saving epoch 2",
        "before any checkpoint",
    ],
)
def test_a_killed_run_resumes_to_the_result_of_an_uninterrupted_one(
    toy_config, in_child, moment, at
):
    straight = toy_config("straight")
    train(straight)

    killed = toy_config("killed", custom_hooks=[*straight.custom_hooks, kill_at(moment, at)])
    assert in_child(train, killed) == -signal.SIGKILL
    resumed = toy_config("killed")
    train(resumed, resume=True)

    assert_equal_state(final_state(resumed), final_state(straight))


def test_a_resumed_run_removes_the_temporary_files_of_dead_processes(toy_config, tmp_path):
    train(toy_config())
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    host = socket.gethostname().replace(".", "_")
    # A checkpoint that the resumed run does not write again.
    left = tmp_path / "run" / f".epoch_0.pth.{host}@{dead.pid}-0123abcd.tmp"
    own = tmp_path / "run" / f".epoch_0.pth.{host}@{os.getpid()}-0123abcd.tmp"
    foreign = tmp_path / "run" / ".epoch_0.tmp"
    for path in (left, own, foreign):
        path.touch()
    with pytest.warns(UserWarning, match=rf"{dead.pid}-0123abcd\.tmp of a killed run is removed"):
        train(toy_config(), resume=True)
    assert not left.exists()
    assert own.exists()
    assert foreign.exists()


def test_training_by_iterations_resumes_exactly(toy_config, in_child):
    loop = {"type": "IterBasedTrainLoop", "max_iters": 12, "val_interval": 4}
    by_iteration = {
        "train_dataloader.sampler.type": "InfiniteSampler",
        "log_processor.by_epoch": False,
        "default_hooks.checkpoint.by_epoch": False,
        "default_hooks.checkpoint.interval": 4,
    }
    straight = toy_config("straight", **by_iteration)
    straight.train_cfg = loop
    train(straight)
    hooks = [*straight.custom_hooks, kill_at("train", 7)]
    killed = toy_config("killed", custom_hooks=hooks, **by_iteration)
    killed.train_cfg = loop
    assert in_child(train, killed) == -signal.SIGKILL
    resumed = toy_config("killed", **by_iteration)
    resumed.train_cfg = loop
    train(resumed, resume=True)
    assert_equal_state(final_state(killed, "iter_12"), final_state(straight, "iter_12"))


def kill_at(moment, at):
    return {"type": "KillHook", "moment": moment, "at": at}


def test_resume_keeps_the_gradients_of_an_unfinished_accumulation(toy_config, in_child):
    # 6 iterations per epoch, a step every 4: two gradients are pending after epoch 1.
    accumulate = {"optim_wrapper.accumulative_counts": 4}
    straight = toy_config("straight", **accumulate)
    train(straight)
    killed = toy_config(
        "killed",
        custom_hooks=[*straight.custom_hooks, kill_at("train", EPOCH_ITERATIONS + 1)],
        **accumulate,
    )
    assert in_child(train, killed) == -signal.SIGKILL
    assert "gradients" in load_checkpoint(f"{killed.work_dir}/epoch_1.pth")
    train(toy_config("killed", **accumulate), resume=True)
    assert_equal_state(final_state(killed), final_state(straight))


def test_the_number_of_workers_does_not_change_the_result(toy_config):
    none, two = toy_config("none"), toy_config("two")
    two.train_dataloader.update(num_workers=2, persistent_workers=True)
    train(none)
    train(two)
    assert_equal_state(final_state(two)["state_dict"], final_state(none)["state_dict"])


def test_different_seeds_give_different_results(toy_config):
    first, second = toy_config("first"), toy_config("second", **{"randomness.seed": 1})
    train(first)
    train(second)
    weights = [final_state(cfg)["state_dict"]["head.weight"] for cfg in (first, second)]
    assert not torch.equal(*weights)


def test_accumulated_gradients_equal_those_of_a_large_batch(toy_config):
    # Sums in another order are equal up to rounding; dropout would differ, so it is off.
    same = {
        "model.dropout": 0.0,
        "train_dataloader.dataset.length": 16,
        "train_dataloader.sampler.shuffle": False,
        "param_scheduler": None,
        "train_cfg.max_epochs": 1,
        "custom_hooks": [],
    }
    whole = toy_config("whole", **{"train_dataloader.batch_size": 8}, **same)
    parts = toy_config(
        "parts",
        **{"train_dataloader.batch_size": 2, "optim_wrapper.accumulative_counts": 4},
        **same,
    )
    models = [train(cfg).bare_model for cfg in (whole, parts)]
    for expected, found in zip(*(model.parameters() for model in models), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_the_best_and_the_last_checkpoint_are_kept(toy_config, tmp_path):
    cfg = toy_config()
    train(cfg)
    files = {path.name for path in (tmp_path / "run").glob("*.pth")}
    assert len(files) == 2
    assert "epoch_2.pth" in files
    (best,) = files - {"epoch_2.pth"}
    assert best.startswith("best_gres_gIoU_epoch_")
    assert (tmp_path / "run" / "toy_config.py").is_file()


def test_an_unknown_save_best_metric_lists_the_known_ones(toy_config):
    cfg = toy_config(**{"default_hooks.checkpoint.save_best": "gres/giou"})
    with pytest.raises(
        KeyError, match=r"must be a metric of the validation, got 'gres/giou'.*gres/gIoU"
    ):
        train(cfg)


def test_resume_rejects_a_checkpoint_without_optimizer(toy_config, tmp_path):
    cfg = toy_config()
    runner = train(cfg)
    released = tmp_path / "released.safetensors"
    save_released(runner.bare_model, runner.config_text, released)
    with pytest.raises(ValueError, match=r"no optimizer.*--load-from"):
        train(toy_config("again"), resume=released)


def test_load_from_sets_the_initial_weights(toy_config):
    cfg = toy_config("first")
    train(cfg)
    checkpoint = f"{cfg.work_dir}/epoch_2.pth"
    frozen = toy_config("second", **{"optim_wrapper.optimizer.lr": 0.0, "custom_hooks": []})
    model = train(frozen, load_from=checkpoint).bare_model
    assert_equal_state(dict(model.state_dict()), load_checkpoint(checkpoint)["state_dict"])


def test_all_splits_are_tested_and_reported(toy_config, tmp_path):
    cfg = toy_config()
    runner = train(cfg)
    metrics = engine.test(toy_config(), f"{cfg.work_dir}/epoch_2.pth", out=tmp_path / "out")
    report = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert report["splits"] == metrics
    assert report["samples"] == 13 + 5
    assert set(metrics) == {"odd", "small"}
    assert set(report["protocol"]) == {"gres", "grec"}
    assert [
        len(read_predictions(tmp_path / "out" / name / "predictions.jsonl")) for name in metrics
    ] == [13, 5]
    assert runner.message_hub.runtime_info["last_validation"] == 2


def test_a_released_checkpoint_gives_the_metrics_of_its_source(toy_config, tmp_path):
    cfg = toy_config()
    train(cfg)
    last = load_checkpoint(f"{cfg.work_dir}/epoch_2.pth")
    released = tmp_path / "released.safetensors"
    save_released(last["state_dict"], last["config"], released)
    from_training = engine.test(toy_config(), f"{cfg.work_dir}/epoch_2.pth", splits=["odd"])
    from_release = engine.test(toy_config(), released, splits=["odd"])
    assert from_release == from_training


def test_an_unknown_split_lists_the_known_ones(toy_config):
    with pytest.raises(ConfigError, match="no test split 'testC'; its splits: odd, small"):
        engine.test(toy_config(), "any.pth", splits=["testC"])


def test_a_checkpoint_of_another_model_names_both_models(toy_config, tmp_path):
    path = tmp_path / "other.safetensors"
    save_released(torch.nn.Linear(3, 2), "model = dict(type='PLVL')\n", path)
    with pytest.raises(
        CheckpointMismatchError, match=r"(?s)4 missing.*weights of PLVL.*ToyGrounder"
    ):
        engine.test(toy_config(), path)


def test_an_unknown_registry_type_names_the_nearest(toy_config):
    with pytest.raises(UnknownTypeError, match=r"did you mean.*ToyGrounder"):
        build_runner(prepare_config(toy_config(**{"model.type": "ToyGroundr"})))


def test_a_used_work_dir_is_refused_unless_the_run_is_resumed(toy_config):
    short = {"train_cfg.max_epochs": 1}
    train(toy_config(**short))
    with pytest.raises(ConfigError, match=r"already contains the checkpoints of a run.*--resume"):
        train(toy_config(**short))
    train(toy_config(**short), resume=True)


def test_a_work_dir_that_another_run_uses_is_refused(toy_config):
    cfg = toy_config()
    Path(cfg.work_dir).mkdir(parents=True, exist_ok=True)
    with lock_output(cfg.work_dir), pytest.raises(OutputInUseError, match="in use by process"):
        train(cfg)


def test_a_failed_start_leaves_other_threads_running(toy_config):
    """mmengine keeps its global lock if the logger cannot be built."""
    with pytest.raises(ConfigError, match="LOUD"):
        train(toy_config(log_level="LOUD"))
    thread = Thread(target=lambda: MODELS.build(toy_config().model), daemon=True)
    thread.start()
    thread.join(timeout=60)
    assert not thread.is_alive()
