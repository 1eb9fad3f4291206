"""How fast samples come, and which step takes the time."""

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

READ_RECORD = "read the record"
COLLATE = "collate"


@dataclass(frozen=True)
class Throughput:
    """Of one pass through a loader.

    Attributes:
        samples_per_second: By the clock; other programs slow it down.
        cpu_ms: Processor milliseconds a sample, of all processes; what a busy machine still
            measures.
    """

    samples_per_second: float
    cpu_ms: float


def build_loader(config: Mapping[str, Any], *, workers: int) -> DataLoader:
    """Build a config's dataloader, with as many worker processes as are asked for."""
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


def make_plain(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same loader in random order, each sample decoding its image and whole masks."""
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
    """Return the processor milliseconds a sample that each step takes, in this process.

    Args:
        loader: Its samples are read in its order.
        workers: Only the batches that the first of so many workers would get are read.
    """
    dataset: Any = loader.dataset
    steps = dataset.pipeline.transforms
    # Numbered, since a step may come again.
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


def measure_loader(loader: DataLoader) -> Throughput:
    """Read all samples once, and time those that come after the first batch of each worker."""
    batches = iter(loader)
    for _ in range(max(1, loader.num_workers)):
        next(batches)
    start, cpu_start, samples = time.perf_counter(), _cpu_seconds(), 0
    for batch in batches:
        samples += len(batch["data_samples"])
    seconds = time.perf_counter() - start
    del batches  # ends the workers, whose time is known from then on
    cpu = _cpu_seconds() - cpu_start
    return Throughput(samples / seconds, 1000 * cpu / num_samples(loader))


def num_samples(loader: DataLoader) -> int:
    """Return how many samples a pass through a loader reads."""
    return len(_batch_sampler(loader).sampler)


def _batch_sampler(loader: DataLoader) -> Any:
    """Return what cuts the batches; `loader.sampler` is none where a config has its own."""
    return loader.batch_sampler


def _timed(call: Callable[..., Any], argument: Any, *, spent: float) -> tuple[Any, float]:
    """Return what a call gives, and the processor seconds spent so far with those of the call."""
    start = time.thread_time()
    value = call(argument)
    return value, spent + time.thread_time() - start


def _cpu_seconds() -> float:
    """Return the processor seconds of this process, and of its workers that have ended."""
    return sum(os.times()[:4])


def _use_one_thread(worker: int) -> None:
    cv2.setNumThreads(0)
