"""Samplers and batch samplers: the order in which a dataset is read."""

from vgtoolbox.datasets.samplers.fixed_batch import FixedBatchSampler
from vgtoolbox.datasets.samplers.image_batch import ImageBatchSampler
from vgtoolbox.datasets.samplers.image_numbering import image_numbers
from vgtoolbox.datasets.samplers.image_window import ImageWindowSampler
from vgtoolbox.datasets.samplers.mixture import MixtureSampler
from vgtoolbox.datasets.samplers.worker_affine import WorkerAffineBatchSampler

__all__ = [
    "FixedBatchSampler",
    "ImageBatchSampler",
    "ImageWindowSampler",
    "MixtureSampler",
    "WorkerAffineBatchSampler",
    "image_numbers",
]
