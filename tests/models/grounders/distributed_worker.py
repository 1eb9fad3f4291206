"""Run one of two gloo processes under DDP or FSDP on half of a batch, and write the gradients."""

import pickle
import sys
from pathlib import Path

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from vgtoolbox.engine.sharding import FullySharded, gather_full_tensors


def rows(value, part):
    """Select rows of a tensor, or of all tensors in nested dicts."""
    if isinstance(value, dict):
        return {key: rows(each, part) for key, each in value.items()}
    return value[part]


def main(folder: Path, rank: int, strategy: str) -> None:
    distributed.init_process_group(
        "gloo", init_method=(folder / "rendezvous").as_uri(), rank=rank, world_size=2
    )
    state = pickle.loads((folder / "state.pkl").read_bytes())
    bare, inputs = state["model"], state["inputs"]
    if strategy == "fsdp":
        model = FullySharded()(bare, torch.device("cpu"))
    else:
        model = DistributedDataParallel(bare)
    half = rows(inputs, slice(rank, rank + 1))
    if hasattr(bare, "policy"):  # what is sampled depends on the process
        bare.policy.sample = lambda logits, rank=0: logits.argmax(1)
    samples = state["samples"][rank : rank + 1]
    losses = model(half, samples, mode="loss")
    sum(value for name, value in losses.items() if "loss" in name).backward()
    torch.save(
        {
            "losses": {name: value.detach() for name, value in losses.items()},
            "gradients": gather_full_tensors({name: p.grad for name, p in bare.named_parameters()}),
        },
        folder / f"{rank}.pt",
    )
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
