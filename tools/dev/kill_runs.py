"""Kill trainings, inference, preparation and reports at random, and compare what they leave.

    python tools/dev/kill_runs.py [--train 100 100] [--infer 50] [--prepare 20] [--reports 20]
                                  [--seed 0] [--out work_dirs/kill_runs]

SIGKILL ends a command at a random moment, half of the time while it writes a file. The same command
is started again, and killed again, until it has run to its end. The result must be that of an
uninterrupted run: weights bit by bit, other files byte by byte, without temporary files and locks.

A process that imports torch and mmengine once is forked for each run, because these imports take
longer than a run. With two processes, each rank is a fork with the variables that torchrun sets;
the kills hit both ranks, the first and the second in turn.

Prints a Markdown table and writes it with all faults to --out. Exit status 1 if there are faults.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from killing.campaign import Outcome, Scenario

_ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def parse_arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description="Kill runs and compare what they leave.")
    parser.add_argument(
        "--train",
        type=int,
        nargs=2,
        default=(100, 100),
        metavar=("ONE", "TWO"),
        help="kills of training with one process and with two",
    )
    parser.add_argument("--infer", type=int, default=50, help="kills of inference")
    parser.add_argument("--prepare", type=int, default=20, help="kills of data generation")
    parser.add_argument("--reports", type=int, default=20, help="kills of test, eval and errors")
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments")
    parser.add_argument("--out", type=Path, default=Path("work_dirs/kill_runs"), metavar="D")
    return parser.parse_args(words)


def plan(arguments: argparse.Namespace, root: Path) -> Iterator[tuple[Scenario, int]]:
    """Yield the scenarios with their number of kills."""
    from killing.scenarios import Inference, Preparation, Reports, Training

    for processes, kills in enumerate(arguments.train, start=1):
        if kills:
            training = Training(root, processes=processes)
            if training.keep_all_checkpoints().wait(600) != [0] * processes:
                raise RuntimeError(f"an uninterrupted training failed; see {root}/*.log")
            yield training, kills
    if arguments.infer:
        yield Inference(root), arguments.infer
    if arguments.prepare:
        yield Preparation(root, overwrite=False), -(-arguments.prepare // 2)
        yield Preparation(root, overwrite=True), arguments.prepare // 2
    for number, command in enumerate(("test", "eval", "errors") if arguments.reports else ()):
        yield Reports(root, command=command), (arguments.reports + number) // 3


def format_table(outcomes: Sequence[Outcome]) -> str:
    """Return a Markdown table with a row for each command."""
    rows = [outcome.as_row() for outcome in outcomes]
    header = list(rows[0]) if rows else []
    lines = [header, ["---"] * len(header), *([str(v) for v in row.values()] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main(words: Sequence[str] | None = None) -> int:
    """Run all scenarios and return 1 if there are faults."""
    arguments = parse_arguments(words)
    for name in _ONE_THREAD:
        os.environ[name] = "1"  # read at the imports below; threads do not survive a fork
    from killing.campaign import run_scenario, start_together
    from killing.forks import ForkedRun, preload
    from killing.scenarios import write_configs

    preload()
    root = arguments.out.resolve() / time.strftime("%Y%m%d_%H%M%S")
    root.mkdir(parents=True)
    write_configs(root)
    shapes = ["data", "shapes", "--out", str(root / "shapes"), "--workers", "1"]
    shapes += ["--num-train", "12", "--num-val", "2", "--num-test", "6"]
    if ForkedRun(shapes, log=root / "shapes.log", environment={}).wait(600) != [0]:
        raise RuntimeError(f"the shapes were not generated; see {root / 'shapes.log'}")
    rng = random.Random(arguments.seed)
    outcomes = []
    for scenario, kills in plan(arguments, root):
        outcomes.append(run_scenario(scenario, kills=kills, rng=rng))
        if scenario.is_exclusive:
            outcomes[-1].together = start_together(scenario)
        print(json.dumps(outcomes[-1].as_row()), flush=True)
    table = format_table(outcomes)
    print(table)
    faults = [f for outcome in outcomes for f in (*outcome.faults, *(outcome.together or ()))]
    for fault in faults:
        print(f"{fault.kind}: {fault.text}", file=sys.stderr)
    (root / "table.md").write_text(table + "\n", encoding="utf-8")
    details = [asdict(outcome) for outcome in outcomes]
    (root / "outcomes.json").write_text(json.dumps(details, indent=1), encoding="utf-8")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
