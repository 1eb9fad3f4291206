"""Give tests the same batches on any number of processes."""

from __future__ import annotations

from mmengine.evaluator import Evaluator
from torch.utils.data import DataLoader

from vgtoolbox.datasets import FixedBatchSampler
from vgtoolbox.evaluation import GroundingMetric


def with_fixed_batches(dataloader: DataLoader | dict, evaluator: Evaluator) -> DataLoader | dict:
    """Return the config of a data loader with a `FixedBatchSampler`.

    A loader with a batch sampler of its own, or without incomplete batches, is returned unchanged.
    So is one whose samples any metric collects with mmengine's own method, which assumes that the
    processes take turns sample by sample.

    Args:
        dataloader: Config of a loader for validation or tests.
        evaluator: Its metrics.
    """
    if (
        not isinstance(dataloader, dict)
        or dataloader.get("batch_sampler") is not None
        or dataloader.get("drop_last", False)
        or not all(isinstance(metric, GroundingMetric) for metric in evaluator.metrics)
    ):
        return dataloader
    return {**dataloader, "batch_sampler": {"type": FixedBatchSampler}}
