"""Kill a command again and again until it has run to its end, and count what it lost."""

from __future__ import annotations

import random
import shutil
import socket
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from killing.forks import ForkedRun, Kill, Moment, in_fork, temporaries

FAULTS = ("lost", "doubled", "torn", "unequal", "left over")
_TIMEOUT = 600.0


@dataclass(frozen=True)
class Fault:
    """Difference from an uninterrupted run.

    Attributes:
        kind: One of `FAULTS`.
        text: Description that names the file.
    """

    kind: str
    text: str


class Scenario(ABC):
    """A command that is killed, and the check of its output.

    Args:
        root: Folder of the inputs, of the uninterrupted run and of all outputs.
        processes: Number of processes of the command.
    """

    name: str
    is_exclusive = True
    """Whether a second run with the same output is refused."""

    def __init__(self, root: Path, *, processes: int = 1) -> None:
        self.root = root
        self.processes = processes

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables of the command."""
        return {"SHAPES_ROOT": str(self.root / "shapes")}

    @abstractmethod
    def words(self, folder: Path) -> list[str]:
        """Return the command that writes to `folder`."""

    @abstractmethod
    def faults(self, folder: Path, reference: Path) -> list[Fault]:
        """Compare the output of a killed run with that of an uninterrupted one.

        Runs in a process of its own, after each kill.
        """

    @abstractmethod
    def final_faults(self, folder: Path, reference: Path) -> list[Fault]:
        """Compare the output of a run that was resumed to its end, in a process of its own."""

    def begin(self, folder: Path) -> None:
        """Prepare an output folder."""
        folder.mkdir(parents=True)

    def watched(self, folder: Path) -> list[Path]:
        """Return the folders in which temporary files appear."""
        return [folder]

    def victims(self, number: int) -> tuple[int, ...]:
        """Return the processes that kill `number` hits: all, the first, the second, in turn."""
        everyone = tuple(range(self.processes))
        return (everyone, *((rank,) for rank in everyone))[number % (self.processes + 1)]

    def start(self, folder: Path, *, log: Path | None = None) -> ForkedRun:
        """Start the command; the output is appended to `log`, by default one for all runs."""
        return ForkedRun(
            self.words(folder),
            log=log or self.root / f"{self.name}.log",
            environment=self.environment,
            processes=self.processes,
        )


@dataclass
class Outcome:
    """Result of all kills of a scenario."""

    name: str
    processes: int
    seconds: float
    """Duration of the uninterrupted run."""
    expected_seconds: float
    """Duration of the last run that was not killed, which depends on the load of the machine."""
    together: list[Fault] | None = None
    """Faults of two runs at once, or `None` if they were not started."""
    starts: int = 0
    completed: int = 0
    kills: list[Kill] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def as_row(self) -> dict[str, str | int]:
        """Return the row of the table."""
        times = [kill.seconds for kill in self.kills] or [0.0]
        counts = {kind: sum(fault.kind == kind for fault in self.faults) for kind in FAULTS}
        return {
            "command": self.name,
            "processes": self.processes,
            "kills": len(self.kills),
            "starts": self.starts,
            "completed": self.completed,
            "while writing": sum(kill.while_writing for kill in self.kills),
            "seconds after the start": f"{min(times):.2f} to {max(times):.2f}",
            "uninterrupted": f"{self.seconds:.1f} s",
            **counts,
            "orphans": sum(kill.stopped_survivors for kill in self.kills),
            "two at once": self._describe_together(),
        }

    def _describe_together(self) -> str:
        if self.together is None:
            return "-"
        return f"{len(self.together)} faults" if self.together else "one is refused"


def run_scenario(scenario: Scenario, *, kills: int, rng: random.Random) -> Outcome:
    """Run a command without interruption, then kill it `kills` times.

    Each killed command is started again, and killed again, until it has run to its end; then the
    next one starts in an empty folder. Half of the kills wait for a temporary file.

    Raises:
        RuntimeError: A command failed.
    """
    reference = scenario.root / f"{scenario.name}-reference"
    scenario.begin(reference)
    run = scenario.start(reference)
    _must_succeed(run, scenario)
    outcome = Outcome(
        scenario.name, scenario.processes, seconds=run.seconds, expected_seconds=run.seconds
    )
    for number in count():
        if len(outcome.kills) >= kills:
            return outcome
        folder = scenario.root / f"{scenario.name}-{number:03d}"
        scenario.begin(folder)
        before = outcome.starts
        while (seconds := _start_once(scenario, folder, outcome, kills=kills, rng=rng)) is None:
            outcome.faults += in_fork(scenario.faults, folder, reference)
        if outcome.starts == before + 1:
            outcome.expected_seconds = seconds
        outcome.completed += 1
        outcome.faults += in_fork(scenario.final_faults, folder, reference)
        outcome.faults += _leftovers(scenario, folder)
        if not outcome.faults:
            shutil.rmtree(folder)
    raise AssertionError("an endless loop has ended")


def start_together(scenario: Scenario) -> list[Fault]:
    """Start a command twice at once: one must work, the other must name it and exit with 2."""
    folder = scenario.root / f"{scenario.name}-together"
    reference = scenario.root / f"{scenario.name}-reference"
    scenario.begin(folder)
    logs = [scenario.root / f"{scenario.name}-together-{number}.log" for number in range(2)]
    runs = [scenario.start(folder, log=log) for log in logs]
    codes = [run.wait(_TIMEOUT)[0] for run in runs]
    if sorted(code or 0 for code in codes) != [0, 2]:
        return [Fault("doubled", f"{scenario.name} twice at once: exit codes {codes}")]
    refused = codes.index(2)
    name = f"process {runs[1 - refused].ranks[0].pid} on {socket.gethostname()}"
    faults = in_fork(scenario.final_faults, folder, reference)
    if name not in logs[refused].read_text(errors="replace"):
        faults.append(Fault("unequal", f"{logs[refused]} does not name {name}"))
    return faults


def compare_trees(folder: Path, reference: Path, *, partial: bool = False) -> Iterator[Fault]:
    """Yield a fault for each file that is missing, additional or different.

    Args:
        folder: Folder to compare.
        reference: Folder of the uninterrupted run.
        partial: Whether files may be missing.
    """
    found, expected = _files(folder), _files(reference)
    for name in sorted(found | expected):
        if name not in expected:
            yield Fault("left over", f"{folder / name} is additional")
        elif name not in found:
            if not partial:
                yield Fault("lost", f"{folder / name} is missing")
        elif (folder / name).read_bytes() != (reference / name).read_bytes():
            yield Fault("torn" if partial else "unequal", f"{folder / name} differs")


def _files(folder: Path) -> set[Path]:
    return {
        path.relative_to(folder)
        for path in folder.rglob("*")
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(folder).parts)
    }


def _start_once(
    scenario: Scenario, folder: Path, outcome: Outcome, *, kills: int, rng: random.Random
) -> float | None:
    """Start the command once; return its duration, or `None` if it was killed."""
    run = scenario.start(folder)
    outcome.starts += 1
    number = len(outcome.kills)
    if number < kills:
        moment = Moment(
            seconds=rng.uniform(0, outcome.expected_seconds),
            while_writing=number % 2 == 1,
            victims=scenario.victims(number),
        )
        kill = run.kill_at(moment, scenario.watched(folder), rng)
        if kill is not None:
            outcome.kills.append(kill)
            return None
    _must_succeed(run, scenario)
    return run.seconds


def _must_succeed(run: ForkedRun, scenario: Scenario) -> None:
    codes = run.wait(_TIMEOUT)
    if any(codes):
        log = scenario.root / f"{scenario.name}.log"
        raise RuntimeError(
            f"{scenario.name} must exit with 0, got {codes}; the end of {log}:\n"
            f"{log.read_text(errors='replace')[-3000:]}"
        )


def _leftovers(scenario: Scenario, folder: Path) -> list[Fault]:
    """Return the temporary files, and the notes of locks, that a complete run left."""
    watched: Sequence[Path] = scenario.watched(folder)
    notes = {note for place in watched for note in place.glob(".*lock.json")}
    return [Fault("left over", str(path)) for path in sorted(temporaries(watched) | notes)]
