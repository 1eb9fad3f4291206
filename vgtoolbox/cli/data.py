"""Generate, set up and check datasets."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from vgtoolbox.cli.data_reports import (
    print_leaks,
    print_needs,
    print_repairs,
    print_report,
)
from vgtoolbox.preparation.catalog import BENCHMARKS
from vgtoolbox.preparation.checks import ImageCheck, check_benchmark
from vgtoolbox.preparation.expected_counts import write_expected_counts
from vgtoolbox.preparation.leaks import find_leaks
from vgtoolbox.preparation.own_data import own_benchmark
from vgtoolbox.preparation.repair import repair_benchmark
from vgtoolbox.preparation.setup import setup_benchmark
from vgtoolbox.shapes import SCALES, SPLITS, WorldSpec, prepare_world
from vgtoolbox.shapes.formats import parse_formats, write_formats
from vgtoolbox.shapes.statistics import statistics_table
from vgtoolbox.utils.atomic_file import atomic_file
from vgtoolbox.utils.locks import lock_output


def run(arguments: argparse.Namespace) -> int:
    """Run a subcommand; return 1 if something is missing, wrong or leaks."""
    actions = {"shapes": _generate, "check": _check, "own": _check_own, "leaks": _leaks}
    is_fine = actions.get(arguments.data_command, _place)(arguments, Console())
    return 0 if is_fine else 1


def generate(
    console: Console,
    out: Path,
    spec: WorldSpec,
    formats: Sequence[str],
    *,
    workers: int,
    overwrite: bool,
) -> bool:
    """Generate a world unless it is complete, add formats, and print its statistics.

    Raises:
        OutputInUseError: Another process writes to `out`.
    """
    with lock_output(out, inside=False):  # generation replaces the folder
        statistics, reused = prepare_world(out, spec, workers=workers, overwrite=overwrite)
        console.print(statistics_table(statistics))
        console.print(f"{out}: {'found complete, reused' if reused else 'written'}")
        for folder in write_formats(out, formats):
            console.print(f"{folder}: written")
        if formats:
            note_counts(out)
    return True


def note_counts(root: Path) -> None:
    """Save the counts of a generated world's benchmarks, which `check` compares with."""
    complete = [b for b in BENCHMARKS.values() if not b.missing_files(root)]
    reports = [check_benchmark(benchmark, root, images="skip") for benchmark in complete]
    write_expected_counts(
        root, {r.benchmark.name: {split.name: split.counts for split in r.splits} for r in reports}
    )


def place(console: Console, name: str, root: Path, source: Path | None) -> bool:
    """Print the files that a benchmark needs, and set up those that `source` contains.

    Returns:
        Whether all files are present.

    Raises:
        OutputInUseError: Another process sets up files under `root`.
    """
    benchmark = BENCHMARKS[name]
    if source is not None:
        with lock_output(root, inside=True):
            for item in setup_benchmark(benchmark, source, root):
                console.print(f"{root / item.folder} <- {item.source}", soft_wrap=True)
    is_complete = print_needs(console, benchmark, root)
    if is_complete:
        console.print(f"all files are present; next: vgtoolbox data check {name} --root {root}")
    elif source is None:
        console.print("put your downloads in a folder and pass it as --source FOLDER")
    return is_complete


def check(
    console: Console,
    names: Sequence[str],
    root: Path,
    *,
    images: ImageCheck,
    show_all: bool,
    fix: Path | None,
) -> bool:
    """Check benchmarks; write repaired copies to `fix`, or to `fix/<name>` for several."""
    problems = 0
    for name in names:
        report = check_benchmark(BENCHMARKS[name], root, images=images)
        print_report(console, report, root, show_all=show_all)
        problems += len(report.all_problems)
        if fix is not None:
            out = fix if len(names) == 1 else fix / name
            with lock_output(out, inside=False):  # the copy is moved into place at the end
                repairs = repair_benchmark(BENCHMARKS[name], root, out)
            print_repairs(console, repairs, out)
    return problems == 0


def check_own(
    console: Console, file: Path, folder: Path, *, images: ImageCheck, show_all: bool
) -> bool:
    """Check a user's own annotation file, whose images are in `folder`."""
    report = check_benchmark(own_benchmark(file, folder), file.parent, images=images)
    print_report(console, report, file.parent, show_all=show_all)
    return not report.all_problems


def leaks(
    console: Console,
    root: Path,
    training: Sequence[str],
    tests: Sequence[str],
    *,
    out: Path | None,
) -> bool:
    """Print how many test images the training data contain, and list them in `out`."""
    found = find_leaks(root, training, tests)
    print_leaks(console, found)
    if out is not None:
        with atomic_file(out) as file:
            file.write(json.dumps([asdict(leak) for leak in found], indent=1).encode())
    return not found


def _generate(arguments: argparse.Namespace, console: Console) -> bool:
    asked = {split: getattr(arguments, f"num_{split}") for split in SPLITS}
    defaults = dict(zip(SPLITS, SCALES[arguments.scale].num_scenes, strict=True))
    counts = {split: defaults[split] if n is None else n for split, n in asked.items()}
    num_scenes = (counts["train"], counts["val"], counts["test"])
    spec = WorldSpec(scale=arguments.scale, seed=arguments.seed, num_scenes=num_scenes)
    formats = parse_formats(arguments.formats)
    return generate(
        console,
        arguments.out,
        spec,
        formats,
        workers=arguments.workers,
        overwrite=arguments.overwrite,
    )


def _place(arguments: argparse.Namespace, console: Console) -> bool:
    return place(console, arguments.data_command, arguments.root, arguments.source)


def _check(arguments: argparse.Namespace, console: Console) -> bool:
    return check(
        console,
        arguments.names,
        arguments.root,
        images=arguments.images,
        show_all=arguments.all,
        fix=arguments.fix,
    )


def _check_own(arguments: argparse.Namespace, console: Console) -> bool:
    return check_own(
        console, arguments.file, arguments.folder, images=arguments.images, show_all=arguments.all
    )


def _leaks(arguments: argparse.Namespace, console: Console) -> bool:
    return leaks(console, arguments.root, arguments.training, arguments.tests, out=arguments.out)
