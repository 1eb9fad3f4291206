"""What tools/prepare_data.py prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vgtoolbox.preparation.benchmark import Benchmark
from vgtoolbox.preparation.checks import KINDS, BenchmarkReport, Fault
from vgtoolbox.preparation.leaks import Leak
from vgtoolbox.preparation.repair import Repair
from vgtoolbox.preparation.world_counts import known_counts

_SHOWN = 5
"""Faults of a kind that are shown, unless all are asked for."""


def print_needs(console: Console, benchmark: Benchmark, root: Path) -> bool:
    """Print which files a benchmark needs, where they are from, and which are there.

    Returns:
        Whether all are there.
    """
    missing = {*benchmark.missing_files(root), *benchmark.missing_images(root)}
    table = Table(title=f"{benchmark.title}: under {root}", show_lines=False)
    for column in ("", "what", "officially from"):
        table.add_column(column, overflow="fold")
    for bundle in benchmark.bundles:
        for name in bundle.files:
            path = f"{bundle.folder}/{name}"
            table.add_row(_mark(path not in missing), path, bundle.origin)
    for images in benchmark.images:
        archives = f" ({', '.join(images.archives)})" if images.archives else ""
        row = (f"{images.folder}/{archives}", images.origin)
        table.add_row(_mark(images.folder not in missing), *row)
    console.print(table)
    return not missing


def print_report(
    console: Console, report: BenchmarkReport, root: Path, *, show_all: bool = False
) -> None:
    """Print counts per split beside the known ones, and the faults by kind."""
    table = Table(title=f"{report.benchmark.title}: under {root}")
    for column in ("split", "refs", "expressions", "images", "faults"):
        table.add_column(column, justify="left" if column == "split" else "right")
    splits = {split.name: split for split in report.benchmark.splits_at(root)}
    for part in report.splits:
        known, found = known_counts(report.benchmark, splits[part.name], root), part.counts
        cells = [
            _count(getattr(found, name), getattr(known, name))
            for name in ("refs", "expressions", "images")
        ]
        table.add_row(part.name, *cells, str(len(part.faults)))
    console.print(table)
    print_faults(console, report.all_faults, show_all=show_all)


def print_faults(console: Console, faults: list[Fault], *, show_all: bool) -> None:
    """Print faults by kind, with a few places of each."""
    counts = Counter(fault.kind for fault in faults)
    for kind, number in counts.most_common():
        console.print(f"[bold red]{kind}[/]: {KINDS[kind]}: {number}")
        places = [fault for fault in faults if fault.kind == kind]
        for fault in places if show_all else places[:_SHOWN]:
            console.print(f"  {escape(fault.where)}: {escape(fault.found)}", soft_wrap=True)
        if not show_all and number > _SHOWN:
            console.print(f"  and {number - _SHOWN} more; --all shows them")
    if not faults:
        console.print("[green]no fault[/]")


def print_mends(console: Console, mends: Iterable[Repair], out: Path) -> None:
    """Print what was mended."""
    rows = list(mends)
    for mend in rows:
        console.print(f"{escape(mend.where)}: {escape(mend.done)}", soft_wrap=True)
    console.print(f"{out}: a copy, {len(rows)} things mended or left out")


def print_leaks(console: Console, leaks: list[Leak]) -> None:
    """Print how many images of which test the training data hold."""
    if not leaks:
        console.print("[green]no image of the tests is in the training data[/]")
        return
    table = Table(title="images of tests in training data")
    for column in ("training", "test", "shared", "of", "%"):
        table.add_column(column, justify="left" if column in ("training", "test") else "right")
    for leak in leaks:
        shared = len(leak.images)
        share = f"{100 * shared / leak.test_images:.1f}"
        table.add_row(leak.training, leak.test, f"{shared:,}", f"{leak.test_images:,}", share)
    console.print(table)


def _mark(is_there: bool) -> str:
    return "[green]there[/]" if is_there else "[red]missing[/]"


def _count(found: int, known: int | None) -> str:
    if known is None:
        return f"{found:,}"
    return f"[green]{found:,}[/]" if found == known else f"[red]{found:,}[/] of {known:,}"
