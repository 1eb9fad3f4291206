"""Hooks: what happens at fixed moments of a run."""

from vgtoolbox.engine.hooks.checkpoint import ResumableCheckpointHook, find_last_checkpoint
from vgtoolbox.engine.hooks.determinism import DatasetEpochHook, SeedHook
from vgtoolbox.engine.hooks.loss_guard import NonFiniteLossHook
from vgtoolbox.engine.hooks.model_option import ModelOptionHook
from vgtoolbox.engine.hooks.pictures import ValidationPicturesHook
from vgtoolbox.engine.hooks.pretrained import PretrainedWeightsHook
from vgtoolbox.engine.hooks.progress import ProgressBarHook

__all__ = [
    "DatasetEpochHook",
    "ModelOptionHook",
    "NonFiniteLossHook",
    "PretrainedWeightsHook",
    "ProgressBarHook",
    "ResumableCheckpointHook",
    "SeedHook",
    "ValidationPicturesHook",
    "find_last_checkpoint",
]
