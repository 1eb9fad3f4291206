"""Prefix of the language model in the state dict of a grounder."""

from __future__ import annotations

ADAPTER_PREFIX = "mllm.adapter."
"""A grounder keeps its `MLLM` as `mllm`, and that keeps its `MultimodalAdapter` as `adapter`."""
