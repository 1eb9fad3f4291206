"""Train and test from a config."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.evaluator import Evaluator

from vgtoolbox.checkpoint.embedded_files import embedded_files
from vgtoolbox.checkpoint.io import load_checkpoint
from vgtoolbox.engine.building import building
from vgtoolbox.engine.compat import GroundingRunner, release_manager_lock
from vgtoolbox.engine.config import RUNNER_KEYS, ConfigError
from vgtoolbox.engine.device import choose_device, count_processes, process_group, under_torchrun
from vgtoolbox.engine.hooks.checkpoint import find_last_checkpoint
from vgtoolbox.engine.hooks.progress import ProgressBarHook
from vgtoolbox.engine.rank_watch import COLLECTIVE_TIMEOUT, RANK_TIMEOUT, Timeouts
from vgtoolbox.engine.resume_rules import Change, Holds, compare_with_checkpoint, describe_changes
from vgtoolbox.engine.tokenizer_choice import TokenizerChoice, settle_tokenizer
from vgtoolbox.evaluation import (
    GroundingMetric,
    PredictionWriter,
    format_metric_table,
    write_metric_report,
)
from vgtoolbox.models.grounders.base import BaseGrounder
from vgtoolbox.registry import SCOPE
from vgtoolbox.utils.atomic_file import remove_leftovers_in
from vgtoolbox.utils.choices import did_you_mean
from vgtoolbox.utils.locks import lock_output

_PHASES = ("train", "val", "test")
_PARTS = ("{}_dataloader", "{}_cfg", "{}_evaluator")
_TRAINING_KEYS = frozenset({"optim_wrapper", "param_scheduler", "auto_scale_lr"})


def train(
    cfg: Config,
    *,
    resume: bool | str | Path = False,
    load_from: str | Path | None = None,
    tokenizer: TokenizerChoice | None = None,
) -> GroundingRunner:
    """Train the model of a config.

    Args:
        cfg: Config; `work_dir` defaults to `work_dirs/<config>`.
        resume: Checkpoint to resume from exactly, or `True` for the last one in the work dir; if
            there is none, training starts from the beginning.
        load_from: Checkpoint with initial weights. If `None`, the config's own initialization is
            used.
        tokenizer: "checkpoint" for the tokenizer that the checkpoint contains, "config" for that of
            the config. If `None`, a difference is an error.

    Returns:
        The Runner after training.

    Raises:
        ConfigError: The work dir contains the checkpoints of another run and `resume` is false, a
            setting differs from that of the resumed run and cannot change, or the checkpoint
            contains another tokenizer.
        OutputInUseError: Another process trains in the work dir.
    """
    cfg = prepare_config(cfg)
    checkpoint = find_last_checkpoint(cfg.work_dir) if resume is True else resume or None
    cfg.load_from = str(checkpoint or load_from) if checkpoint or load_from else None
    cfg.resume = checkpoint is not None
    changes: list[Change] = []
    with ExitStack() as stack:
        stack.enter_context(_own_work_dir(cfg))
        if cfg.load_from:
            cfg, changes = _compare_with_checkpoint(cfg, cfg.load_from, tokenizer)
        runner = stack.enter_context(_run_context(cfg, phases=("train", "val")))
        if changes:
            runner.changes = changes
            matters = any(change.rule.holds is not Holds.IGNORED for change in changes)
            level = logging.WARNING if matters else logging.INFO
            runner.logger.log(level, describe_changes(changes, str(checkpoint)))
        if resume is True and checkpoint is None:
            runner.logger.info(
                f"no checkpoint to resume in {cfg.work_dir}: training starts from the beginning"
            )
        runner.train()
        return runner


def _compare_with_checkpoint(
    cfg: Config, path: str, tokenizer: TokenizerChoice | None
) -> tuple[Config, list[Change]]:
    """Compare a config with the checkpoint that training resumes or starts from.

    Returns:
        The config with the tokenizer to use and, if training resumes, the seed of the checkpoint:
        the data loaders are seeded before the Runner looks into it. Then the settings that differ
        from those of a checkpoint to resume from.

    Raises:
        ConfigError: A setting that differs cannot change.
    """
    checkpoint = load_checkpoint(path)
    cfg = settle_tokenizer(cfg, checkpoint, source=path, choice=tokenizer)
    if not cfg.resume:
        return cfg, []
    changes = compare_with_checkpoint(
        checkpoint, cfg.to_dict(), source=path, processes=count_processes()
    )
    seed = checkpoint.get("meta", {}).get("seed")
    if seed is not None:
        cfg.randomness = {**cfg.get("randomness", {}), "seed": seed}
    return cfg, changes


@contextmanager
def _own_work_dir(cfg: Config) -> Iterator[None]:
    """Keep other runs out of the work dir; the first process of a run does this for all."""
    if int(os.environ.get("RANK", 0)) != 0:
        yield
        return
    Path(cfg.work_dir).mkdir(parents=True, exist_ok=True)
    with lock_output(cfg.work_dir):
        # The files of a killed run are not all written again: a resumed run may start after them.
        remove_leftovers_in(Path(cfg.work_dir))
        last = None if cfg.resume else find_last_checkpoint(cfg.work_dir)
        if last is not None:
            raise ConfigError(
                f"{cfg.work_dir} already contains the checkpoints of a run, the last is "
                f"{Path(last).name}; add --resume to continue it, choose another --work-dir, or "
                "remove the folder"
            )
        yield


def test(
    cfg: Config,
    checkpoint: str | Path,
    *,
    splits: Sequence[str] | None = None,
    out: str | Path | None = None,
) -> dict[str, dict[str, float]]:
    """Test a checkpoint on the named splits of a config.

    Writes `<out>/metrics.json` and `<out>/<split>/predictions.jsonl`, and prints a table.

    Args:
        cfg: Config with `test_splits`, which gives dataset and evaluators by split name.
        checkpoint: Path of a checkpoint in any known layout.
        splits: Names in `test_splits`. If `None`, all are tested.
        out: Folder of the results. If `None`, it is `<work_dir>/test`.

    Returns:
        The metrics of each split, on every process.
    """
    choose_splits(cfg, splits)  # a wrong name is an error before loading
    # A checkpoint contains the tokenizer that it was trained with.
    files = load_checkpoint(checkpoint).get("meta", {}).get("files", "")
    files = files if isinstance(files, str) else ""
    source = str(checkpoint)
    with embedded_files(cfg.to_dict(), files, by_kind=True, source=source) as resolved:
        return _test(Config(resolved, filename=cfg.filename), checkpoint, splits, out)


def _test(
    cfg: Config, checkpoint: str | Path, splits: Sequence[str] | None, out: str | Path | None
) -> dict[str, dict[str, float]]:
    """Test with a config whose files exist; arguments as in `test`."""
    chosen = choose_splits(cfg, splits)
    cfg = prepare_config(cfg)
    cfg.load_from, cfg.resume = str(checkpoint), False
    folder = Path(out) if out is not None else Path(cfg.work_dir) / "test"
    started = time.perf_counter()
    metrics: dict[str, dict[str, float]] = {}
    protocol: dict[str, Any] = {}
    samples = 0
    with _run_context(cfg, phases=()) as runner:
        runner.call_hook("before_run")
        runner.load_or_resume()
        for name, split in chosen.items():
            metrics[name] = runner.test_split(
                {**cfg.test_dataloader, "dataset": split["dataset"]},
                [*split["evaluator"], _prediction_writer(folder / name)],
                cfg.get("test_cfg") or {},
            )
            samples += len(runner.test_dataloader.dataset)
            for prefix, settings in _protocol(runner.test_evaluator).items():
                differs = protocol.setdefault(prefix, settings) != settings
                protocol[f"{name}/{prefix}" if differs else prefix] = settings
        runner.call_hook("after_run")
        model = runner.bare_model
        if isinstance(model, BaseGrounder) and model.protocol_settings:
            protocol["model"] = model.protocol_settings
        if is_main_process():
            write_metric_report(
                folder / "metrics.json",
                config=str(cfg.filename),
                checkpoint=str(checkpoint),
                protocol=protocol,
                splits=metrics,
                samples=samples,
                seconds=time.perf_counter() - started,
            )
            title = f"{checkpoint}: {folder / 'metrics.json'}"
            print(format_metric_table(metrics, title=title, protocol=protocol))
    return metrics


def prepare_config(cfg: Config) -> Config:
    """Return a copy of a config with defaults for a run."""
    # mmengine formats the text of a config four times in each run, which takes seconds.
    cfg = Config(cfg.to_dict(), filename=cfg.filename, format_python_code=False)
    stem = Path(cfg.filename).stem if cfg.filename else "unnamed"
    cfg.work_dir = cfg.get("work_dir") or str(Path("work_dirs") / stem)
    cfg.default_scope = SCOPE
    cfg.launcher = "pytorch" if under_torchrun() else "none"
    return cfg


def build_runner(cfg: Config, *, phases: Sequence[str] = ("train", "val")) -> GroundingRunner:
    """Build the Runner of a prepared config.

    Args:
        cfg: Config from `prepare_config`.
        phases: Phases to build, of "train", "val" and "test". `GroundingRunner.test_split` needs
            none of them.
    """
    unused = {part.format(phase) for phase in _PHASES if phase not in phases for part in _PARTS}
    if "train" not in phases:
        unused |= _TRAINING_KEYS
    arguments = {key: cfg[key] for key in RUNNER_KEYS if key in cfg and key not in unused}
    if "train" not in phases:
        # The state_dict of a checkpoint already contains the averaged weights.
        hooks = arguments.get("custom_hooks") or []
        arguments["custom_hooks"] = [hook for hook in hooks if hook["type"] != "EMAHook"]
    with release_manager_lock(), building("a section"):
        return GroundingRunner(**arguments, cfg=cfg)


def choose_splits(cfg: Config, names: Sequence[str] | None) -> dict[str, Mapping[str, Any]]:
    """Return test splits by name.

    Args:
        cfg: Config with `test_splits`.
        names: Names of the splits. If `None`, all splits are returned.

    Raises:
        ConfigError: The config has no such split; the message lists its splits.
    """
    config = cfg.filename or "the config"
    available = cfg.get("test_splits") or {}
    if not available:
        raise ConfigError(f"{config} has no test_splits; add one to test on")
    for name in names or ():
        if name not in available:
            raise ConfigError(
                f"{config} has no test split {name!r}; its splits: {', '.join(available)}"
                + did_you_mean(name, available)
            )
    return {name: available[name] for name in names or available}


def _prediction_writer(folder: Path) -> dict[str, str]:
    return {"type": "PredictionWriter", "out_file": str(folder / "predictions.jsonl")}


def _protocol(evaluator: Evaluator) -> dict[str, Any]:
    """Return the options behind the values, by the prefix of the metric."""
    return {
        str(metric.prefix): metric.settings
        for metric in evaluator.metrics
        if isinstance(metric, GroundingMetric) and not isinstance(metric, PredictionWriter)
    }


@contextmanager
def _run_context(cfg: Config, *, phases: Sequence[str]) -> Iterator[GroundingRunner]:
    """Yield a Runner with its device and process group, and clean up at the end."""
    device = choose_device(cfg.get("device", "auto"))
    limits = (cfg.get("env_cfg") or {}).get("dist_cfg") or {}
    timeouts = Timeouts(
        rank=limits.get("rank_timeout", RANK_TIMEOUT),
        collective=limits.get("timeout", COLLECTIVE_TIMEOUT),
    )
    with process_group(device, timeouts) as watch:
        runner = build_runner(cfg, phases=phases)
        runner.watch = watch
        runner.logger.info(f"device: {device}; processes: {runner.world_size}")
        try:
            yield runner
        finally:
            for hook in runner.hooks:
                if isinstance(hook, ProgressBarHook):
                    hook.close()
