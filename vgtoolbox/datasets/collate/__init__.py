"""Collate functions: stack samples into batches."""

from vgtoolbox.datasets.collate.batch_transfer import BatchInTransit, ready_to_send
from vgtoolbox.datasets.collate.grounding import grounding_collate

__all__ = ["BatchInTransit", "grounding_collate", "ready_to_send"]
