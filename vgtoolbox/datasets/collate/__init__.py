"""Collate functions: from samples to batches."""
