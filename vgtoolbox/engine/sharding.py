"""Weights, gradients and optimizer states spread over processes (FSDP; Zhao et al., VLDB 2023).

By torch's `fully_shard`, which works in place: the model stays what it was, its parameters become
`DTensor`s of which each process holds a part, and its units gather their own when they are called.
Checkpoints stay those of a whole model: `whole` gathers what is saved, and parts are cut out of
whole tensors again where they are loaded.
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
    """How a model is spread over all processes; calling it does so, in place.

    Args:
        units: Regular expression for the full names of the modules that gather their weights when
            they are called and drop them behind; all other weights are gathered for the whole pass.
        keep_gathered: Keep a unit's weights from the forward to the backward pass (ZeRO-2 instead
            of ZeRO-3): faster, and gradients and optimizer states are spread still.
    """

    def __init__(
        self, *, units: str = r".*\.(layers?|blocks)\.\d+", keep_gathered: bool = False
    ) -> None:
        self.units = units
        self.keep_gathered = keep_gathered

    def __call__(self, model: nn.Module, device: torch.device) -> nn.Module:
        """Spread a model, built alike in every process, and return it.

        Args:
            model: On the CPU: no device needs to hold more of it than a unit and its part.
            device: Where this process computes.

        Raises:
            ValueError: No module has a name of a unit.
        """
        modules = dict(model.named_modules())
        units = [module for name, module in modules.items() if re.fullmatch(self.units, name)]
        if not units:
            raise ValueError(
                f"model_wrapper_cfg.units={self.units!r} is the name of no module of "
                f"{type(model).__name__}; name its repeated blocks, as print(model) shows them"
            )
        mesh = init_device_mesh(device.type, (torch.distributed.get_world_size(),))
        for unit in reversed(units):  # inner ones first
            fully_shard(unit, mesh=mesh, reshard_after_forward=not self.keep_gathered)
        fully_shard(model, mesh=mesh)
        for module in modules.values():
            if any(isinstance(p, DTensor) for p in module.parameters(recurse=False)):
                module.register_load_state_dict_pre_hook(_cut_incoming)
        return model.to(device)


def is_sharded(model: nn.Module) -> bool:
    """Return whether processes hold parts of the model's weights."""
    return any(isinstance(parameter, DTensor) for parameter in model.parameters())


def whole(state: Any) -> Any:
    """Return a nested state whose tensors are whole; every process must ask for it."""
    return apply_to(state, lambda x: isinstance(x, DTensor), lambda x: x.full_tensor().cpu())


def cut_like(value: Tensor, like: Tensor) -> Tensor:
    """Return what this process holds of a whole tensor, if it holds a part only of `like`."""
    if not isinstance(like, DTensor) or isinstance(value, DTensor) or value.shape != like.shape:
        return value
    # Every process has the whole value, so none sends anything.
    return distribute_tensor(
        value.to(like.device), like.device_mesh, like.placements, src_data_rank=None
    )


def cut_states(optimizer: Optimizer, state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state dict of an optimizer, cut as the parameters that it steps."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    if not any(isinstance(p, DTensor) for p in parameters):
        return dict(state)
    cut = {
        index: {
            name: cut_like(value, parameters[index]) if isinstance(value, Tensor) else value
            for name, value in entry.items()
        }
        for index, entry in state["state"].items()
    }
    return {**state, "state": cut}


def _cut_incoming(module: nn.Module, state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
    """Cut the whole tensors that are about to be loaded into a module's own parameters."""
    for name, parameter in module.named_parameters(recurse=False):
        if prefix + name in state_dict:
            state_dict[prefix + name] = cut_like(state_dict[prefix + name], parameter)
