"""Table of all benchmarks by name."""

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
"""Subcommand of tools/prepare_data.py -> benchmark."""


def known_folder_names() -> frozenset[str]:
    """Return the names of the folders or archives of all benchmarks."""
    return frozenset(
        name
        for benchmark in BENCHMARKS.values()
        for files in benchmark.annotation_files
        for name in files.folder_names
    )
