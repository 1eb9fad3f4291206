"""States sharded over two processes (ZeRO-1, FSDP) train, save and resume as unsharded ones."""

import multiprocessing
import os
import socket

import pytest
import torch

from vgtoolbox.checkpoint import load_checkpoint
from vgtoolbox.engine import FullySharded, train

ZERO = {
    "optim_wrapper.optimizer.type": "ZeroRedundancyOptimizer",
    "optim_wrapper.optimizer.optimizer_type": "AdamW",
}
FSDP = {"model_wrapper_cfg": {"type": "FullySharded", "units": "backbone"}}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def in_two_processes(cfg, **arguments):
    """Train on two gloo processes and return the last checkpoint."""
    world = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}

    def run(rank):
        os.environ.update(world, RANK=str(rank), LOCAL_RANK=str(rank))
        train(cfg, **arguments)

    context = multiprocessing.get_context("fork")
    children = [context.Process(target=run, args=(rank,)) for rank in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join(120)
        if child.is_alive():
            child.kill()
    assert [child.exitcode for child in children] == [0, 0]
    return load_checkpoint(f"{cfg.work_dir}/epoch_{cfg.train_cfg.max_epochs}.pth")


@pytest.mark.slow
@pytest.mark.parametrize("sharding", [ZERO, FSDP], ids=["zero", "fsdp"])
def test_sharding_does_not_change_the_training(toy_config, sharding):
    common = {"custom_hooks": []}
    unsharded = in_two_processes(toy_config("unsharded", **common))
    straight = in_two_processes(toy_config("straight", **common, **sharding))
    torch.testing.assert_close(straight["state_dict"], unsharded["state_dict"])
    torch.testing.assert_close(straight["optimizer"]["state"], unsharded["optimizer"]["state"])

    half = {"train_cfg.max_epochs": 1}
    in_two_processes(toy_config("resumed", **common, **sharding, **half))
    resumed = in_two_processes(toy_config("resumed", **common, **sharding), resume=True)
    torch.testing.assert_close(resumed["state_dict"], straight["state_dict"], rtol=0, atol=0)


def test_units_must_match_module_names():
    with pytest.raises(
        ValueError, match="units must match the names of modules of Linear, got 'layers'"
    ):
        FullySharded(units="layers")(torch.nn.Linear(2, 2), torch.device("cpu"))
