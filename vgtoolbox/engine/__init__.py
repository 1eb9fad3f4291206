"""Training and testing: runner, hooks, optimizer wrappers and compatibility with mmengine."""

from vgtoolbox.engine.compat import GroundingRunner
from vgtoolbox.engine.config import ConfigError, load_config, parse_options
from vgtoolbox.engine.device import DeviceError, choose_device
from vgtoolbox.engine.hooks import (
    DatasetEpochHook,
    NonFiniteLossHook,
    ProgressBarHook,
    ResumableCheckpointHook,
    SeedHook,
    find_last_checkpoint,
)
from vgtoolbox.engine.optim_wrapper import AutocastOptimWrapper
from vgtoolbox.engine.param_groups import MergedGroupsConstructor
from vgtoolbox.engine.runner import build_runner, test, train
from vgtoolbox.engine.sharding import FullySharded

__all__ = [
    "AutocastOptimWrapper",
    "ConfigError",
    "DatasetEpochHook",
    "DeviceError",
    "FullySharded",
    "GroundingRunner",
    "MergedGroupsConstructor",
    "NonFiniteLossHook",
    "ProgressBarHook",
    "ResumableCheckpointHook",
    "SeedHook",
    "build_runner",
    "choose_device",
    "find_last_checkpoint",
    "load_config",
    "parse_options",
    "test",
    "train",
]
