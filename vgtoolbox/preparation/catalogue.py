"""All benchmarks by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from vgtoolbox.preparation import refer_family, system_files
from vgtoolbox.preparation.benchmark import Benchmark

BENCHMARKS: Final[Mapping[str, Benchmark]] = MappingProxyType(
    {
        benchmark.name: benchmark
        for benchmark in (
            refer_family.REFCOCO,
            refer_family.REFCOCO_PLUS,
            refer_family.REFCOCOG,
            refer_family.REFCLEF,
            refer_family.GREFCOCO,
            refer_family.REFZOM,
            refer_family.RREFCOCO,
            refer_family.FPREFCOCO,
            system_files.REASONSEG,
            system_files.INSTANCEVG,
            system_files.PLVL,
            system_files.FLICKR30K,
            system_files.VISUAL_GENOME,
            system_files.SEGLLM,
        )
    }
)
"""Sub-command of tools/prepare_data.py -> what it prepares."""


def known_labels() -> frozenset[str]:
    """Return the names of the folders that any benchmark comes in."""
    return frozenset(
        label
        for benchmark in BENCHMARKS.values()
        for bundle in benchmark.bundles
        for label in bundle.known_as
    )
