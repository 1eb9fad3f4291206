"""Measure the throughput of a dataloader and the time of each pipeline step."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import cv2
import numpy as np
from torch.utils.data import BatchSampler, DataLoader

from vgtoolbox.datasets.transforms.tracing import step_name
from vgtoolbox.registry import DATA_SAMPLERS, DATASETS, FUNCTIONS

READ_RECORD = "read record"
COLLATE = "collate"


@dataclass(frozen=True)
class LoaderThroughput:
    """Throughput of one pass through a dataloader.

    Attributes:
        samples_per_second: Rate by wall time; it drops when other programs use the machine.
        cpu_ms: CPU time per sample of all processes in ms, valid on a busy machine as well.
    """

    samples_per_second: float
    cpu_ms: float


def build_loader(config: Mapping[str, Any], *, workers: int) -> DataLoader:
    """Build the dataloader of a config.

    Args:
        config: Config of the dataloader.
        workers: Number of worker processes, in place of the config's own.
    """
    dataset = DATASETS.build(dict(config["dataset"]))
    sampler = DATA_SAMPLERS.build({**config["sampler"], "dataset": dataset})
    batches = config.get("batch_sampler", {"type": BatchSampler, "drop_last": False})
    return DataLoader(
        dataset,
        batch_sampler=DATA_SAMPLERS.build(
            {**batches, "sampler": sampler, "batch_size": config["batch_size"]}
        ),
        collate_fn=FUNCTIONS.get(config["collate_fn"]["type"]),
        num_workers=workers,
        worker_init_fn=_use_one_thread,
    )


def baseline_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config of the same dataloader without its optimizations.

    Samples come in random order, and each decodes its image and its masks at full size.
    """
    pipeline = {name: dict(step) for name, step in config["dataset"]["pipeline"].items()}
    for step in pipeline.values():
        if step["type"] in ("LoadImage", "Resize"):
            step["cache_mb"] = 0
        if step["type"] == "LoadTargets":
            step["dense"] = True
    return {
        **{key: value for key, value in config.items() if key != "batch_sampler"},
        "sampler": {"type": "DefaultSampler", "shuffle": True, "seed": 0},
        "dataset": {**config["dataset"], "pipeline": pipeline},
    }


def time_steps(loader: DataLoader, *, workers: int = 1) -> dict[str, float]:
    """Return the CPU time per sample in ms of each pipeline step, measured in this process.

    Args:
        loader: Dataloader whose samples are read in its order.
        workers: Number of workers to simulate: only the batches of the first one are read.
    """
    dataset: Any = loader.dataset
    steps = dataset.pipeline.transforms
    # Numbered, since a pipeline may contain a step more than once.
    numbered = [f"{number}. {step_name(step)}" for number, step in enumerate(steps, start=1)]
    names = [READ_RECORD, *numbered, COLLATE]
    seconds = np.zeros(len(names))
    count = 0
    for indices in islice(_batch_sampler(loader), None, None, max(1, workers)):
        batch: list[Any] = []
        for index in indices:
            results, seconds[0] = _timed(dataset.get_data_info, index, spent=seconds[0])
            results["rng"] = np.random.default_rng(index)
            for number, step in enumerate(steps, start=1):
                results, seconds[number] = _timed(step, results, spent=seconds[number])
            batch.append(results)
        _, seconds[-1] = _timed(loader.collate_fn, batch, spent=seconds[-1])
        count += len(indices)
    return dict(zip(names, (1000 * seconds / count).tolist(), strict=True))


def measure_loader(loader: DataLoader) -> LoaderThroughput:
    """Read all samples once and time those after the first batch of each worker."""
    batches = iter(loader)
    for _ in range(max(1, loader.num_workers)):
        next(batches)
    start, cpu_start, samples = time.perf_counter(), _cpu_seconds(), 0
    for batch in batches:
        samples += len(batch["data_samples"])
    seconds = time.perf_counter() - start
    del batches  # ends the workers; their CPU time is available from then on
    cpu = _cpu_seconds() - cpu_start
    return LoaderThroughput(samples / seconds, 1000 * cpu / num_samples(loader))


def num_samples(loader: DataLoader) -> int:
    """Return the number of samples in one pass through a dataloader."""
    return len(_batch_sampler(loader).sampler)


def _batch_sampler(loader: DataLoader) -> Any:
    """Return the batch sampler; `loader.sampler` is unused if the config defines its own."""
    return loader.batch_sampler


def _timed(call: Callable[..., Any], argument: Any, *, spent: float) -> tuple[Any, float]:
    """Return the result of a call, and `spent` plus the CPU seconds of the call."""
    start = time.thread_time()
    value = call(argument)
    return value, spent + time.thread_time() - start


def _cpu_seconds() -> float:
    """Return the CPU seconds of this process and of its workers that have ended."""
    return sum(os.times()[:4])


def _use_one_thread(worker: int) -> None:
    cv2.setNumThreads(0)
