"""Samplers and batch samplers: orders in which a dataset is read."""
