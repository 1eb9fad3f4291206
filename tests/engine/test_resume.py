"""Resume with changed settings: what is printed, which value holds, and the learning rates."""

import pytest
import torch

from vgtoolbox.checkpoint import load_checkpoint, save_checkpoint
from vgtoolbox.checkpoint.config_text import write_config_text
from vgtoolbox.engine import ConfigError, train
from vgtoolbox.engine.config import config_from_text
from vgtoolbox.engine.resume_rules import (
    NOT_SET,
    RULES,
    Change,
    Holds,
    compare_with_checkpoint,
    differences,
)


@pytest.fixture
def interrupted(toy_config):
    """Return a function that trains one epoch of two, and the config to resume with."""

    def run(name="run", **options):
        train(toy_config(name, **{"train_cfg.max_epochs": 1, **options}))
        return lambda **changed: toy_config(name, **(options | changed))

    return run


@pytest.fixture
def resume(capsys):
    """Return a function that resumes, and returns the runner and the printed warnings."""

    def run(cfg):
        capsys.readouterr()
        runner = train(cfg, resume=True)
        printed = capsys.readouterr()
        return runner, printed.out + printed.err

    return run


@pytest.fixture
def rates(monkeypatch):
    """Return the learning rates of the iterations of each config, by its experiment name."""
    from vgtoolbox.engine.hooks import SeedHook

    found = {}
    before = SeedHook.before_train_iter

    def note(self, runner, *arguments, **keywords):
        groups = runner.optim_wrapper.optimizer.param_groups
        found.setdefault(runner.cfg.experiment_name, {})[runner.iter] = [g["lr"] for g in groups]
        before(self, runner, *arguments, **keywords)

    monkeypatch.setattr(SeedHook, "before_train_iter", note)
    return found


COSINE = [
    {"type": "LinearLR", "start_factor": 0.1, "by_epoch": False, "begin": 0, "end": 8},
    {"type": "CosineAnnealingLR", "by_epoch": True, "T_max": 3, "begin": 0, "end": 3},
]
LONGER = [COSINE[0], {**COSINE[1], "T_max": 6, "end": 6}]
SLOW = [{**COSINE[0], "end": 100}]
BY_ITERATION = [{**COSINE[1], "convert_to_iter_based": True}]
BY_ITERATION_LONGER = [{**LONGER[1], "convert_to_iter_based": True}]
CONSTANT = [{"type": "ConstantLR", "factor": 1.0}]
EPOCHS = {"train_cfg.max_epochs": 2}


def test_a_run_with_equal_settings_says_nothing(interrupted, resume):
    again = interrupted(**EPOCHS)
    _, text = resume(again())
    assert "settings that differ" not in text


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"optim_wrapper.optimizer.lr": 5.0}, "optim_wrapper.optimizer.lr: 0.01 -> 5.0; the new"),
        (
            {"optim_wrapper.optimizer.weight_decay": 0.9},
            "optim_wrapper.optimizer.weight_decay: not set -> 0.9; the new value holds",
        ),
        ({"optim_wrapper.clip_grad.max_norm": 2.0}, "optim_wrapper.clip_grad.max_norm: 1.0 -> 2.0"),
        ({"param_scheduler": COSINE}, "param_scheduler[CosineAnnealingLR]: not set -> {'type'"),
        (
            {"param_scheduler": None},
            "param_scheduler: [{'type': 'LinearLR'",
        ),
        ({"train_dataloader.batch_size": 2}, "train_dataloader.batch_size: 4 -> 2; the new value"),
        (
            {"train_dataloader.dataset.length": 9},
            "train_dataloader.dataset.length: 21 -> 9; the new value holds: from the next epoch",
        ),
        (
            {"randomness.seed": 5},
            "randomness.seed: 0 -> 5; the old value holds: all random numbers",
        ),
        (
            {"val_dataloader.dataset.length": 5},
            "val_dataloader.dataset.length: 11 -> 5; the new value holds: from the next validation",
        ),
        ({"model.dropout": 0.5}, "model.dropout: not set -> 0.5; the new value holds"),
        (
            {"custom_hooks": [{"type": "EMAHook", "momentum": 0.5}]},
            "custom_hooks[EMAHook].momentum: 0.1 -> 0.5; the new value holds",
        ),
        (
            {"default_hooks.checkpoint.max_keep_ckpts": 7},
            "default_hooks.checkpoint.max_keep_ckpts: 1 -> 7; the new value holds",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_changed_setting_is_named_with_both_values(interrupted, resume, changed, line):
    again = interrupted()
    runner, text = resume(again(**EPOCHS, **changed))
    assert "settings that differ from those of" in text
    assert "train_cfg.max_epochs: 1 -> 2; the new value holds: the learning rate continues" in text
    assert line in text
    assert runner.epoch == 2


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"model.width": 8}, r"model\.width: 16 -> 8; it cannot change: its weights"),
        ({"optim_wrapper.optimizer.type": "SGD"}, r"optimizer\.type: 'AdamW' -> 'SGD'; it cannot"),
        ({"custom_hooks": []}, r"custom_hooks\[EMAHook\]: .* -> not set; it cannot change"),
        ({"default_hooks.checkpoint.save_best": "grec/N-acc"}, r"'gres/gIoU' -> 'grec/N-acc'"),
        ({"train_cfg.by_epoch": False}, r"train_cfg\.by_epoch: True -> False; it cannot change"),
        ({"train_cfg.max_epochs": 0}, r"train_cfg\.max_epochs must be at least 1, .* got 0"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_change_that_would_be_wrong_is_an_error(interrupted, changed, message):
    again = interrupted()
    with pytest.raises(ConfigError, match=message):
        train(again(**changed), resume=True)


def test_the_accumulation_cannot_change_between_two_steps(toy_config):
    old, new = (
        toy_config(**{"optim_wrapper.accumulative_counts": count}).to_dict() for count in (4, 2)
    )
    checkpoint = {"config": write_config_text(old), "meta": {}, "gradients": {"head.weight": 0}}
    with pytest.raises(ConfigError, match="saved between two steps of the optimizer"):
        compare_with_checkpoint(checkpoint, new, source="epoch_1.pth", processes=1)
    (change,) = compare_with_checkpoint(
        {**checkpoint, "gradients": {}}, new, source="epoch_1.pth", processes=1
    )
    assert change == Change("optim_wrapper.accumulative_counts", 4, 2)


def test_settings_without_influence_are_listed_in_one_line(interrupted, resume):
    again = interrupted(**EPOCHS)
    _, text = resume(
        again(**{"default_hooks.logger.interval": 5, "train_dataloader.num_workers": 1})
    )
    assert "settings that differ" not in text  # on the console, where only warnings are shown here
    _, text = resume(again(**{"default_hooks.logger.interval": 5, "train_cfg.max_epochs": 3}))
    assert "without influence on the training: default_hooks.logger.interval" in text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"optim_wrapper.optimizer.lr": 0.5}),
        ({}, {"param_scheduler": COSINE}),
        ({"param_scheduler": COSINE}, {"param_scheduler": CONSTANT}),
        ({"param_scheduler": COSINE}, {"param_scheduler": LONGER}),
        ({}, {"train_dataloader.batch_size": 2}),
        ({"train_dataloader.batch_size": 2}, {"train_dataloader.batch_size": 7}),
        ({"param_scheduler": SLOW}, {"train_dataloader.dataset.length": 9}),
        ({"param_scheduler": BY_ITERATION}, {"param_scheduler": BY_ITERATION_LONGER}),
        (
            {"auto_scale_lr": {"enable": True, "base_batch_size": 8}},
            {"train_dataloader.batch_size": 2},
        ),
    ],
)
def test_learning_rates_are_those_of_an_uninterrupted_run(
    toy_config, interrupted, resume, rates, before, after
):
    """The new settings give the schedule, evaluated at the position of the checkpoint."""
    three = {"train_cfg.max_epochs": 3}
    again = interrupted(**before)
    resumed = again(**three, **after)
    resume(resumed)
    straight = toy_config("straight", **(before | three | after))
    train(straight)
    found, expected = rates[resumed.experiment_name], rates[straight.experiment_name]
    assert 0 < len(found) < len(expected)
    assert found == {position: expected[position] for position in found}
    assert max(found) == max(expected)


def test_more_epochs_alone_extend_a_schedule_to_the_new_end(interrupted, resume, rates):
    """A schedule without `end` reaches its last value at the new last epoch."""
    cosine = {"param_scheduler": [{"type": "CosineAnnealingLR", "T_max": 2, "by_epoch": True}]}
    linear = {"param_scheduler": [{"type": "LinearLR", "start_factor": 1.0, "end_factor": 0.0}]}
    for name, schedule in (("cosine", cosine), ("linear", linear)):
        again = interrupted(name, **schedule)
        resumed = again(**{"train_cfg.max_epochs": 4})
        resume(resumed)
        by_epoch = [group[0] for group in list(rates[resumed.experiment_name].values())[::6]]
        expected = {
            "cosine": [0.005, 0.0, 0.005],  # T_max is a setting of its own
            "linear": [0.01 * 2 / 3, 0.01 / 3, 0.0],  # `end` is the number of epochs
        }
        torch.testing.assert_close(by_epoch, expected[name], atol=1e-9, rtol=1e-6)


def test_the_moments_of_the_optimizer_are_kept(interrupted, monkeypatch):
    """With another weight decay for one parameter, there is one group more."""
    from vgtoolbox.engine.compat import GroundingRunner

    again = interrupted(**{"optim_wrapper.constructor": "MergedGroupsConstructor"})
    cfg = again(
        **EPOCHS,
        **{"optim_wrapper.paramwise_cfg": {"custom_keys": {"head": {"lr_mult": 0.1}}}},
    )
    saved = load_checkpoint(f"{cfg.work_dir}/epoch_1.pth")
    seen = {}
    before = GroundingRunner.resume

    def resume(self, *arguments, **keywords):
        before(self, *arguments, **keywords)
        for group in self.optim_wrapper.optimizer.param_groups:
            for parameter in group["params"]:
                (name,) = [n for n, p in self.bare_model.named_parameters() if p is parameter]
                moments = self.optim_wrapper.optimizer.state[parameter]["exp_avg"]
                seen[name] = (group["initial_lr"], moments.clone())

    monkeypatch.setattr(GroundingRunner, "resume", resume)
    train(cfg, resume=True)
    names = saved["optimizer_parameters"]
    for index, name in enumerate(names):
        rate, moments = seen[name]
        assert rate == pytest.approx(0.001 if name.startswith("head") else 0.01)
        assert torch.equal(moments, saved["optimizer"]["state"][index]["exp_avg"])


def test_the_seed_of_the_first_run_is_in_the_next_checkpoint(interrupted, resume):
    again = interrupted(**{"randomness.seed": 3})
    cfg = again(**EPOCHS, **{"randomness.seed": 5})
    resume(cfg)
    checkpoint = load_checkpoint(f"{cfg.work_dir}/epoch_2.pth")
    assert checkpoint["meta"]["seed"] == 3
    assert config_from_text(checkpoint["config"]).randomness.seed == 3


def test_a_checkpoint_of_another_number_of_processes_is_named(interrupted, resume):
    again = interrupted()
    cfg = again(**EPOCHS)
    path = f"{cfg.work_dir}/epoch_1.pth"
    checkpoint = load_checkpoint(path)
    checkpoint["meta"].update(world_size=2, iter=3, iters_per_epoch=3)
    save_checkpoint(checkpoint, path)
    runner, text = resume(cfg)
    assert "processes: 2 -> 1; the new value holds: the learning rate continues" in text
    assert "an epoch has 6 iterations instead of 3: epoch 1 ends at iteration 6" in text
    assert runner.iter == 12


def test_entries_of_lists_are_matched_by_type():
    old = {"hooks": [{"type": "A", "x": 1}, {"type": "B"}, {"type": "A", "x": 2}]}
    new = {"hooks": [{"type": "C"}, {"type": "A", "x": 1}, {"type": "A", "x": 3}, {"type": "B"}]}
    assert list(differences(old, new)) == [
        Change("hooks[A 2].x", 2, 3),
        Change("hooks[C]", NOT_SET, {"type": "C"}),
        Change("hooks (order)", ["A", "B", "A 2"], ["A", "A 2", "B"]),
    ]
    assert not list(differences({"size": (1, 2), "x": None}, {"size": [1, 2]}))
    steps = {"pipeline": {"a": {"type": "A"}, "b": {"type": "B"}}}
    swapped = {"pipeline": dict(reversed(steps["pipeline"].items()))}
    assert [change.key for change in differences(steps, swapped)] == ["pipeline (order)"]


@pytest.mark.parametrize(
    ("key", "holds"),
    [
        ("work_dir", Holds.IGNORED),
        ("test_splits.odd.dataset.length", Holds.IGNORED),
        ("val_dataloader.num_workers", Holds.IGNORED),
        ("val_dataloader.dataset.ann_file", Holds.NEW),
        ("model.existence_head.loss_weight", Holds.NEW),
        ("model.postprocessor.score_thr", Holds.NEW),
        ("model.backbone.num_heads", Holds.REFUSED),
        ("model.type", Holds.REFUSED),
        ("train_dataloader.dataset.pipeline.tokenize.tokenizer.type", Holds.REFUSED),
        ("train_dataloader.dataset.pipeline.resize.size", Holds.NEW),
        ("optim_wrapper.accumulative_counts", Holds.NEW),
        ("custom_hooks[EMAHook]", Holds.REFUSED),
        ("custom_hooks[EMAHook].momentum", Holds.NEW),
        ("custom_hooks[HyperParameterHook]", Holds.NEW),
        ("compile", Holds.NEW),
    ],
)
def test_the_rule_of_a_key(key, holds):
    assert Change(key, 1, 2).rule.holds is holds
    assert RULES[-1].pattern == ""  # there is a rule for every key
