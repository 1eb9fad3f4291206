"""Hooks that a Runner calls during training, validation and test."""

from vgtoolbox.engine.hooks.checkpoint import ResumableCheckpointHook, find_last_checkpoint
from vgtoolbox.engine.hooks.determinism import DatasetEpochHook, SeedHook
from vgtoolbox.engine.hooks.hyper_parameter import HyperParameterHook
from vgtoolbox.engine.hooks.non_finite_loss import NonFiniteLossHook
from vgtoolbox.engine.hooks.pretrained import PretrainedWeightsHook
from vgtoolbox.engine.hooks.progress import ProgressBarHook
from vgtoolbox.engine.hooks.visualization import GroundingVisualizationHook

__all__ = [
    "DatasetEpochHook",
    "GroundingVisualizationHook",
    "HyperParameterHook",
    "NonFiniteLossHook",
    "PretrainedWeightsHook",
    "ProgressBarHook",
    "ResumableCheckpointHook",
    "SeedHook",
    "find_last_checkpoint",
]
