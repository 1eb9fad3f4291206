"""Shard weights, gradients and optimizer states over processes (FSDP; Zhao et al., VLDB 2023).

torch's `fully_shard` works in place: parameters become `DTensor`s of which each process holds a
shard, and each unit gathers its parameters when it is called. Checkpoints are those of an unsharded
model: tensors are gathered with `gather_full_tensors` before saving and sharded again on loading.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.utils import apply_to
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer

from vgtoolbox.registry import MODEL_WRAPPERS


@MODEL_WRAPPERS.register_module()
class FullySharded:
    """Callable that shards a model over all processes, in place.

    Args:
        units: Regular expression for the full names of the modules that gather their weights when
            they are called and free them afterwards. All other weights are gathered for the whole
            pass.
        keep_gathered: Whether a unit keeps its gathered weights from the forward to the backward
            pass (ZeRO-2 instead of ZeRO-3). This is faster; gradients and optimizer states are
            still sharded.
    """

    def __init__(
        self, *, units: str = r".*\.(layers?|blocks)\.\d+", keep_gathered: bool = False
    ) -> None:
        self.units = units
        self.keep_gathered = keep_gathered

    def __call__(self, model: nn.Module, device: torch.device) -> nn.Module:
        """Shard a model and return it.

        Args:
            model: Model on the CPU, with equal weights in every process. A device needs memory only
                for its shards and one gathered unit.
            device: Device of this process.

        Raises:
            ValueError: No module name matches `units`.
        """
        modules = dict(model.named_modules())
        units = [module for name, module in modules.items() if re.fullmatch(self.units, name)]
        if not units:
            raise ValueError(
                f"model_wrapper_cfg.units must match the names of modules of "
                f"{type(model).__name__}, got {self.units!r}; use the names of its repeated blocks "
                "as shown by print(model)"
            )
        mesh = init_device_mesh(device.type, (torch.distributed.get_world_size(),))
        for unit in reversed(units):  # inner ones first
            fully_shard(unit, mesh=mesh, reshard_after_forward=not self.keep_gathered)
        fully_shard(model, mesh=mesh)
        for module in modules.values():
            if any(isinstance(p, DTensor) for p in module.parameters(recurse=False)):
                module.register_load_state_dict_pre_hook(_shard_incoming)
        return model.to(device)


def is_sharded(model: nn.Module) -> bool:
    """Return whether the model's weights are sharded."""
    return any(isinstance(parameter, DTensor) for parameter in model.parameters())


def gather_full_tensors(state: Any) -> Any:
    """Return a nested state with full tensors on the CPU; every process must call this."""
    return apply_to(state, lambda x: isinstance(x, DTensor), lambda x: x.full_tensor().cpu())


def shard_like(value: Tensor, like: Tensor) -> Tensor:
    """Return this process's shard of a full tensor if `like` is sharded, else the tensor."""
    if not isinstance(like, DTensor) or isinstance(value, DTensor) or value.shape != like.shape:
        return value
    # Every process has the full value, so nothing is sent.
    return distribute_tensor(
        value.to(like.device), like.device_mesh, like.placements, src_data_rank=None
    )


def shard_optimizer_state(optimizer: Optimizer, state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the full state dict of an optimizer, sharded like the parameters that it updates."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    if not any(isinstance(p, DTensor) for p in parameters):
        return dict(state)
    sharded = {
        index: {
            name: shard_like(value, parameters[index]) if isinstance(value, Tensor) else value
            for name, value in entry.items()
        }
        for index, entry in state["state"].items()
    }
    return {**state, "state": sharded}


def _shard_incoming(module: nn.Module, state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
    """Shard the full tensors that are about to be loaded into a module's own parameters."""
    for name, parameter in module.named_parameters(recurse=False):
        if prefix + name in state_dict:
            state_dict[prefix + name] = shard_like(state_dict[prefix + name], parameter)
