"""Fuzz every reader of files that come from elsewhere.

    python tools/dev/fuzz.py --minutes 10 [--format grefcoco pth] [--seed 0] [--out work_dirs/fuzz]
    python tools/dev/fuzz.py --inputs 2000
    python tools/dev/fuzz.py --replay work_dirs/fuzz/pth-crash-00 --format pth

Each input runs in a worker process with a limit of 5 s and 1 GiB above the idle process. A reader
may accept an input or raise its documented error; anything else is a finding: a crash, a hang, too
much memory, a foreign exception, or an accepted file with impossible values. The first input of
each finding is written to --out with a line in findings.txt. Exit status 1 if there are findings.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from fuzzing.campaign import FINDINGS, Campaign, Report, Worker, run_formats
from fuzzing.formats import FORMATS

COLUMNS = ("format", "inputs", "accepted", "refused", *FINDINGS, "peak_mb", "slowest_s")


def parse_arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description="Fuzz every reader of untrusted files.")
    parser.add_argument("--minutes", type=float, help="total time, divided among the formats")
    parser.add_argument("--inputs", type=int, help="number of inputs of each format")
    parser.add_argument(
        "--format", nargs="+", choices=list(FORMATS), metavar="NAME", dest="formats"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the mutations")
    parser.add_argument("--out", type=Path, default=Path("work_dirs/fuzz"), help="output folder")
    parser.add_argument("--replay", type=Path, nargs="+", help="run these files, without mutations")
    parser.add_argument("--write-corpus", action="store_true", help="write the valid files again")
    given = parser.parse_args(words)
    if given.replay and len(given.formats or ()) != 1:
        parser.error("--replay needs one --format")
    if not (given.replay or given.write_corpus or given.minutes or given.inputs):
        parser.error("--minutes or --inputs must be given")
    return given


def replay(name: str, files: Iterable[Path], out: Path) -> Report:
    """Run files as they are and print each outcome."""
    worker = Worker(out)
    campaign = Campaign(name, worker, out, seed=0)
    for file in files:
        answer = campaign.try_input(file.read_bytes())
        print(f"{file}: {answer['outcome']} {answer['signature']}\n  {answer['message']}")
    worker.close()
    return campaign.report


def format_table(reports: Iterable[Report]) -> str:
    """Return a Markdown table with a row for each format, and the sums."""
    rows = [report.as_row() for report in reports]
    total = {key: sum(row[key] for row in rows) for key in COLUMNS[1:-2]}
    peaks = {key: max((row[key] for row in rows), default=0) for key in COLUMNS[-2:]}
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    for row in [*rows, {"format": "all", **total, **peaks}]:
        lines.append(f"| {' | '.join(str(row[key]) for key in COLUMNS)} |")
    return "\n".join(lines)


def main() -> int:
    """Run the command line; return 1 if there are findings."""
    given = parse_arguments()
    names = given.formats or list(FORMATS)
    if given.write_corpus:
        from fuzzing.corpus import write_corpus  # imports torch

        write_corpus()
        return 0
    reports = []
    if given.replay:
        reports.append(replay(names[0], given.replay, given.out))
    else:
        limits = {"inputs": given.inputs, "minutes": given.minutes}
        for report in run_formats(names, given.out, seed=given.seed, **limits):
            reports.append(report)
            print(json.dumps(report.as_row()), file=sys.stderr, flush=True)
    print(format_table(reports))
    for report in reports:
        for line, count in report.findings.items():
            print(f"{report.name}: {count} x {line}")
    return 1 if any(report.findings for report in reports) else 0


if __name__ == "__main__":
    sys.exit(main())
