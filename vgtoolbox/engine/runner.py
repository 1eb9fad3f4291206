"""Training and testing from a config: what the tools call."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.evaluator import Evaluator

from vgtoolbox.checkpoint.embedded_files import embedded_files
from vgtoolbox.checkpoint.io import load_checkpoint
from vgtoolbox.engine.compat import GroundingRunner
from vgtoolbox.engine.config import RUNNER_KEYS, ConfigError
from vgtoolbox.engine.device import choose_device, process_group, under_torchrun
from vgtoolbox.engine.hooks.checkpoint import find_last_checkpoint
from vgtoolbox.engine.hooks.progress import ProgressBarHook
from vgtoolbox.evaluation import (
    GroundingMetric,
    PredictionWriter,
    format_metric_table,
    write_metric_report,
)
from vgtoolbox.registry import SCOPE

_PHASES = ("train", "val", "test")
_PARTS = ("{}_dataloader", "{}_cfg", "{}_evaluator")
_TRAINING_KEYS = frozenset({"optim_wrapper", "param_scheduler", "auto_scale_lr"})


def train(
    cfg: Config, *, resume: bool | str | Path = False, load_from: str | Path | None = None
) -> GroundingRunner:
    """Train the model of a config.

    Args:
        cfg: Gives everything; `work_dir` defaults to `work_dirs/<config>`.
        resume: A checkpoint to go on from exactly, or True for the last one in the work dir;
            training starts anew where that has none yet.
        load_from: Weights to begin with.

    Returns:
        The Runner, trained.
    """
    cfg = prepared(cfg)
    checkpoint = find_last_checkpoint(cfg.work_dir) if resume is True else resume or None
    if checkpoint is not None:
        # The data loaders are seeded before the Runner looks into the checkpoint.
        cfg.randomness = {**cfg.get("randomness", {}), "seed": _seed_of(checkpoint)}
    cfg.load_from = str(checkpoint or load_from) if checkpoint or load_from else None
    cfg.resume = checkpoint is not None
    with _running(cfg, phases=("train", "val")) as runner:
        if resume is True and checkpoint is None:
            runner.logger.info(f"nothing to resume in {cfg.work_dir}: training starts anew")
        runner.train()
        return runner


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
        cfg: Has `test_splits`, by name: the dataset and the evaluators of each.
        checkpoint: In any layout that is known.
        splits: Names of `test_splits`; None is all.
        out: Folder of the results; None is `<work_dir>/test`.

    Returns:
        The metrics of each split, on every process.
    """
    choose_splits(cfg, splits)  # a wrong name is an error before anything is loaded
    # A released checkpoint carries the tokenizer that it was trained with.
    carried = load_checkpoint(checkpoint).get("meta", {}).get("files", "")
    with embedded_files(cfg.to_dict(), carried if isinstance(carried, str) else "") as resolved:
        return _test(Config(resolved, filename=cfg.filename), checkpoint, splits, out)


def _test(
    cfg: Config, checkpoint: str | Path, splits: Sequence[str] | None, out: str | Path | None
) -> dict[str, dict[str, float]]:
    """Test with a config whose files are in place; arguments as in `test`."""
    chosen = choose_splits(cfg, splits)
    cfg = prepared(cfg)
    cfg.load_from, cfg.resume = str(checkpoint), False
    folder = Path(out) if out is not None else Path(cfg.work_dir) / "test"
    started = time.perf_counter()
    metrics: dict[str, dict[str, float]] = {}
    protocol: dict[str, Any] = {}
    samples = 0
    with _running(cfg, phases=()) as runner:
        runner.call_hook("before_run")
        runner.load_or_resume()
        for name, split in chosen.items():
            metrics[name] = runner.test_split(
                {**cfg.test_dataloader, "dataset": split["dataset"]},
                [*split["evaluator"], _writer(folder / name)],
                cfg.get("test_cfg") or {},
            )
            samples += len(runner.test_dataloader.dataset)
            for prefix, settings in _protocol(runner.test_evaluator).items():
                unlike = protocol.setdefault(prefix, settings) != settings
                protocol[f"{name}/{prefix}" if unlike else prefix] = settings
        runner.call_hook("after_run")
        if settings := getattr(runner.bare_model, "protocol_settings", None):
            protocol["model"] = settings
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


def prepared(cfg: Config) -> Config:
    """Return a copy of a config with the defaults that a run needs."""
    cfg = Config(cfg.to_dict(), filename=cfg.filename)
    stem = Path(cfg.filename).stem if cfg.filename else "unnamed"
    cfg.work_dir = cfg.get("work_dir") or str(Path("work_dirs") / stem)
    cfg.default_scope = SCOPE
    cfg.launcher = "pytorch" if under_torchrun() else "none"
    return cfg


def build_runner(cfg: Config, *, phases: Sequence[str] = ("train", "val")) -> GroundingRunner:
    """Build the Runner of a prepared config.

    Args:
        cfg: From `prepared`.
        phases: Which of train, val and test it is built for. Splits to test on need none.
    """
    unused = {part.format(phase) for phase in _PHASES if phase not in phases for part in _PARTS}
    if "train" not in phases:
        unused |= _TRAINING_KEYS
    arguments = {key: cfg[key] for key in RUNNER_KEYS if key in cfg and key not in unused}
    if "train" not in phases:
        # A checkpoint's state_dict holds the averaged weights already.
        hooks = arguments.get("custom_hooks") or []
        arguments["custom_hooks"] = [hook for hook in hooks if hook["type"] != "EMAHook"]
    return GroundingRunner(**arguments, cfg=cfg)


def choose_splits(cfg: Config, names: Sequence[str] | None) -> dict[str, Mapping[str, Any]]:
    """Return the test splits of those names, all where `names` is None.

    Raises:
        ConfigError: The config has no such split; the message lists those that it has.
    """
    config = cfg.filename or "the config"
    available = cfg.get("test_splits") or {}
    if not available:
        raise ConfigError(f"{config} has no test_splits, so there is nothing to test on")
    for name in names or ():
        if name not in available:
            raise ConfigError(
                f"{config} has no test split {name!r}; its splits: {', '.join(available)}"
            )
    return {name: available[name] for name in names or available}


def _writer(folder: Path) -> dict[str, str]:
    return {"type": "PredictionWriter", "out_file": str(folder / "predictions.jsonl")}


def _protocol(evaluator: Evaluator) -> dict[str, Any]:
    """Return the choices behind the values, by the prefix of each metric that gives any."""
    return {
        metric.prefix: metric.settings
        for metric in evaluator.metrics
        if isinstance(metric, GroundingMetric) and not isinstance(metric, PredictionWriter)
    }


@contextmanager
def _running(cfg: Config, *, phases: Sequence[str]) -> Iterator[GroundingRunner]:
    """Give the Runner its device and process group, and clean up whatever happens."""
    device = choose_device(cfg.get("device", "auto"))
    with process_group(device):
        runner = build_runner(cfg, phases=phases)
        runner.logger.info(f"device: {device}; processes: {runner.world_size}")
        try:
            yield runner
        finally:
            for hook in runner.hooks:
                if isinstance(hook, ProgressBarHook):
                    hook.close()


def _seed_of(checkpoint: str | Path) -> int | None:
    return load_checkpoint(checkpoint).get("meta", {}).get("seed")
