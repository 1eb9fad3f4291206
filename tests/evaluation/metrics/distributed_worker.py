"""One process of a distributed evaluation: `distributed_worker.py FOLDER RANK WORLD`.

Reads `samples.pkl`, evaluates its share of them under several samplers and writes the values of
this process to `<world>.<sampler>.<rank>.json`; the first process also writes
`<world>.<sampler>.jsonl`.
"""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path

import torch
from mmengine.dataset import DefaultSampler
from torch import distributed
from torch.utils.data import DistributedSampler

from vgtoolbox.evaluation import GRECMetric, GRESMetric, PredictionWriter, RECMetric, RESMetric


def shares(size: int, rank: int, world: int) -> dict[str, list[int]]:
    """Return the indices that this process evaluates under each sampler."""
    data = range(size)
    return {
        "in_order": list(DefaultSampler(data, shuffle=False)),
        "padded": list(DistributedSampler(data, world, rank, shuffle=False)),
        "shuffled": list(DistributedSampler(data, world, rank, shuffle=True, seed=3)),
        "unequal": [data[:2], data[2:]][rank] if world == 2 else data,
        "one_has_none": data if rank == 0 else [],
    }


def evaluate(samples: list[dict], size: int, out_file: Path) -> dict[str, float]:
    values: dict[str, float] = {}
    metrics = (
        RECMetric(),
        RESMetric(),
        GRECMetric(),
        GRESMetric(),
        PredictionWriter(out_file=out_file),
    )
    for metric in metrics:
        metric.process(None, samples)
        values |= metric.evaluate(size)
    return values


def main(folder: Path, rank: int, world: int) -> None:
    torch.set_num_threads(1)
    samples = pickle.loads((folder / "samples.pkl").read_bytes())
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous{world}", rank=rank, world_size=world
    )
    for name, indices in shares(len(samples), rank, world).items():
        out_file = folder / f"{world}.{name}.jsonl"
        values = evaluate([samples[i] for i in indices], len(samples), out_file)
        (folder / f"{world}.{name}.{rank}.json").write_text(json.dumps(values))
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
