"""Tables and messages of `vgtoolbox data`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vgtoolbox.preparation.benchmark import Benchmark
from vgtoolbox.preparation.checks import PROBLEM_KINDS, BenchmarkReport, Problem
from vgtoolbox.preparation.expected_counts import expected_counts
from vgtoolbox.preparation.leaks import Leak
from vgtoolbox.preparation.repair import Repair

_SHOWN = 5
"""Number of problems per kind that are printed unless all are requested."""


def print_needs(console: Console, benchmark: Benchmark, root: Path) -> bool:
    """Print the files that a benchmark needs, their origin, and whether they are present.

    Returns:
        Whether all are present.
    """
    missing = {*benchmark.missing_files(root), *benchmark.missing_images(root)}
    table = Table(title=f"{benchmark.title}: under {root}", show_lines=False)
    for column in ("", "files", "official source"):
        table.add_column(column, overflow="fold")
    for files in benchmark.annotation_files:
        for name in files.names:
            path = f"{files.folder}/{name}"
            table.add_row(_mark(path not in missing), path, files.origin)
    for images in benchmark.images:
        archives = f" ({', '.join(images.archives)})" if images.archives else ""
        row = (f"{images.folder}/{archives}", images.origin)
        table.add_row(_mark(images.folder not in missing), *row)
    console.print(table)
    return not missing


def print_report(
    console: Console, report: BenchmarkReport, root: Path, *, show_all: bool = False
) -> None:
    """Print counts per split with the expected ones, and the problems by kind."""
    table = Table(title=f"{report.benchmark.title}: under {root}")
    for column in ("split", "refs", "expressions", "images", "problems"):
        table.add_column(column, justify="left" if column == "split" else "right")
    splits = {split.name: split for split in report.benchmark.splits_at(root)}
    for part in report.splits:
        known, found = expected_counts(report.benchmark, splits[part.name], root), part.counts
        cells = [
            _count(getattr(found, name), getattr(known, name))
            for name in ("refs", "expressions", "images")
        ]
        table.add_row(part.name, *cells, str(len(part.problems)))
    console.print(table)
    print_problems(console, report.all_problems, show_all=show_all)
    print_notes(console, report.notes, show_all=show_all)


def print_problems(console: Console, problems: list[Problem], *, show_all: bool) -> None:
    """Print problems by kind, with a few locations of each."""
    _print_by_kind(console, problems, "[bold red]", show_all=show_all)
    if not problems:
        console.print("[green]no problems[/]")


def print_notes(console: Console, notes: list[Problem], *, show_all: bool) -> None:
    """Print findings that may be intended, and do not count as problems."""
    _print_by_kind(console, notes, "note: [yellow]", show_all=show_all)


def _print_by_kind(
    console: Console, problems: list[Problem], style: str, *, show_all: bool
) -> None:
    counts = Counter(problem.kind for problem in problems)
    for kind, number in counts.most_common():
        console.print(f"{style}{kind}[/]: {PROBLEM_KINDS[kind]}: {number}")
        places = [problem for problem in problems if problem.kind == kind]
        for problem in places if show_all else places[:_SHOWN]:
            line = f"  {escape(problem.location)}: {escape(problem.message)}"
            console.print(line, soft_wrap=True)
        if not show_all and number > _SHOWN:
            console.print(f"  and {number - _SHOWN} more; --all shows them")


def print_repairs(console: Console, repairs: Iterable[Repair], out: Path) -> None:
    """Print the changes of a repair."""
    rows = list(repairs)
    for repair in rows:
        console.print(f"{escape(repair.location)}: {escape(repair.change)}", soft_wrap=True)
    console.print(f"{out}: repaired copy, {len(rows)} changes")


def print_leaks(console: Console, leaks: list[Leak]) -> None:
    """Print the number of images of each test split that are in the training data."""
    if not leaks:
        console.print("[green]no test image is in the training data[/]")
        return
    table = Table(title="test images in training data")
    for column in ("training", "test", "shared", "of", "%"):
        table.add_column(column, justify="left" if column in ("training", "test") else "right")
    for leak in leaks:
        shared = len(leak.images)
        share = f"{100 * shared / leak.test_images:.1f}"
        table.add_row(leak.training, leak.test, f"{shared:,}", f"{leak.test_images:,}", share)
    console.print(table)


def _mark(exists: bool) -> str:
    return "[green]present[/]" if exists else "[red]missing[/]"


def _count(found: int, known: int | None) -> str:
    if known is None:
        return f"{found:,}"
    return f"[green]{found:,}[/]" if found == known else f"[red]{found:,}[/] of {known:,}"
