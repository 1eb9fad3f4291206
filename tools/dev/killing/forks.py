"""Run commands in forked processes, and kill them at chosen moments."""

from __future__ import annotations

import multiprocessing
import os
import random
import socket
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

_MODULES = (
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "mmengine.runner",
    "torch.utils.tensorboard",
    "vgtoolbox.cli.errors",
    *(f"vgtoolbox.cli.{name}" for name in ("main", "train", "test", "infer", "data", "evaluate")),
    "vgtoolbox.cli.analyze_errors",
    "vgtoolbox.models",
)
_POLL = 0.002
_SURVIVOR_LIMIT = 30.0
"""Seconds in which the other processes of a run must end after one of them was killed."""


@dataclass(frozen=True, kw_only=True)
class Moment:
    """Planned moment of a kill.

    Attributes:
        seconds: Time after the start.
        while_writing: Whether to wait, from then on, until a temporary file appears.
        victims: Numbers of the processes to kill.
    """

    seconds: float
    while_writing: bool
    victims: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Kill:
    """Kill that hit a running command.

    Attributes:
        seconds: Time after the start.
        while_writing: Whether a temporary file was being written.
        stopped_survivors: Number of processes that did not end by themselves after the kill.
    """

    seconds: float
    while_writing: bool
    stopped_survivors: int


class ForkedRun:
    """A command that runs in one forked process, or in several that form a group.

    Args:
        words: Command and arguments of the `vgtoolbox` program.
        log: File to which the output is appended.
        environment: Additional environment variables.
        processes: Number of processes. If there are several, they get the variables that torchrun
            sets.
    """

    def __init__(
        self,
        words: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str],
        processes: int = 1,
    ) -> None:
        groups = [{}] if processes == 1 else _group_environments(processes)
        context = multiprocessing.get_context("fork")
        self.ranks = [
            context.Process(target=_run_command, args=(words, log, {**environment, **group}))
            for group in groups
        ]
        self.started = time.monotonic()
        for rank in self.ranks:
            rank.start()

    @property
    def seconds(self) -> float:
        """Time since the start."""
        return time.monotonic() - self.started

    def is_running(self) -> bool:
        """Return whether no process has ended."""
        return all(rank.is_alive() for rank in self.ranks)

    def kill_at(self, moment: Moment, folders: Sequence[Path], rng: random.Random) -> Kill | None:
        """Send SIGKILL at a moment, and wait until all processes have ended.

        Args:
            moment: Moment and processes.
            folders: Folders in which the run writes temporary files.
            rng: Source of the random delay after a temporary file appears.

        Returns:
            The kill, or `None` if the run ended before the moment.
        """
        before = temporaries(folders)
        while self.seconds < moment.seconds:
            if not self.is_running():
                return None
            time.sleep(_POLL)
        if moment.while_writing:
            while not temporaries(folders) - before:
                if not self.is_running():
                    return None
                time.sleep(_POLL / 10)
            time.sleep(rng.choice((0.0, rng.random() * 0.01)))
        if not self.is_running():
            return None
        seconds = self.seconds
        for victim in moment.victims:
            self.ranks[victim].kill()
        for victim in moment.victims:
            self.ranks[victim].join()
        # A temporary file that is still present was never completed.
        writing = bool(temporaries(folders) - before)
        return Kill(
            seconds=seconds,
            while_writing=writing,
            stopped_survivors=self.wait(_SURVIVOR_LIMIT).count(None),
        )

    def wait(self, timeout: float) -> list[int | None]:
        """Wait for the end and return the exit codes.

        Processes that are still running half a minute after another one failed are stopped, as
        torchrun stops them at once; their code is `None`.
        """
        deadline = time.monotonic() + timeout
        has_failed = False
        while any(rank.is_alive() for rank in self.ranks) and time.monotonic() < deadline:
            if not has_failed and any(rank.exitcode for rank in self.ranks):
                has_failed = True
                deadline = min(deadline, time.monotonic() + _SURVIVOR_LIMIT)
            time.sleep(_POLL)
        codes = [rank.exitcode for rank in self.ranks]
        self._stop()
        return codes

    def _stop(self) -> None:
        for rank in self.ranks:
            rank.kill()
            rank.join()


def preload() -> None:
    """Import what the commands need, so that a forked run starts without the cost of imports.

    Raises:
        RuntimeError: This process has threads, which do not survive a fork.
    """
    for name in _MODULES:
        import_module(name)
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads > 1:
        raise RuntimeError(
            f"this process must have one thread before it forks, got {threads}; set "
            "OMP_NUM_THREADS=1 and OPENBLAS_NUM_THREADS=1 before Python starts"
        )


def in_fork(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return the result of a function that runs in a forked process, which may start threads.

    Raises:
        RuntimeError: The process ended without a result.
    """
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send_result, args=(sender, function, arguments))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        raise RuntimeError(f"{function.__name__} failed in its process") from None
    finally:
        process.join()


def temporaries(folders: Iterable[Path]) -> set[Path]:
    """Return the hidden files and folders in `folders`, except locks."""
    found = set()
    for folder in folders:
        with suppress(FileNotFoundError), os.scandir(folder) as entries:
            found |= {Path(entry) for entry in entries if entry.name.startswith(".")}
    return {path for path in found if ".lock" not in path.name}


def _run_command(words: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
    """Run a command in this process and exit with its code."""
    os.environ.update(environment)
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(output, sys.__stdout__.fileno() if sys.__stdout__ else 1)
    os.dup2(output, sys.__stderr__.fileno() if sys.__stderr__ else 2)
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    sys.argv = ["vgtoolbox", *words]
    sys.exit(import_module("vgtoolbox.cli.main").main(words))


def _send_result(sender: Connection, function: Callable[..., Any], arguments: Any) -> None:
    sender.send(function(*arguments))


def _group_environments(processes: int) -> list[dict[str, str]]:
    """Return the variables that torchrun sets for each process of a group on this machine."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    size = str(processes)
    return [
        {
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": size,
            "LOCAL_WORLD_SIZE": size,
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
        }
        for rank in range(processes)
    ]
