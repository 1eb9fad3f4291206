"""Notice stopped and hanging processes of a distributed run, and end the others.

Collective operations of torch wait for a stopped process until their timeout, half an hour by
default, and their error does not name it. Here, a thread of each process writes a number to the
store of the launcher every few seconds, and reads those of the others. The main threads do not take
part, so a training step takes the same time as without.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from torch.distributed import Store, TCPStore

from vgtoolbox.engine.config import ConfigError
from vgtoolbox.utils.parent_watch import end_process, ends_with_parent

RANK_TIMEOUT = 120.0
"""Default of `env_cfg.dist_cfg.rank_timeout`: seconds after which a silent process is stopped."""
COLLECTIVE_TIMEOUT = 1800.0
"""Default of `env_cfg.dist_cfg.timeout`: seconds after which a process hangs that is behind."""
_LONGEST_INTERVAL = 2.0
_STORE_TIMEOUT = 10.0


@dataclass(frozen=True, kw_only=True)
class Timeouts:
    """Timeouts of a distributed run, in seconds.

    Args:
        rank: Time without a sign of life after which a process counts as stopped or unreachable.
        collective: Time without progress of any process after which the processes that are behind
            the others count as hanging.

    Raises:
        ConfigError: A timeout is not a positive number.
    """

    rank: float = RANK_TIMEOUT
    collective: float = COLLECTIVE_TIMEOUT

    def __post_init__(self) -> None:
        for name, value in (("rank_timeout", self.rank), ("timeout", self.collective)):
            if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
                raise ConfigError(
                    f"env_cfg.dist_cfg.{name} must be a positive number of seconds, got {value!r}"
                )


@dataclass
class _Rank:
    """Last signs of life of a process.

    Attributes:
        beat: Last message.
        heard: Time of the last new message.
        position: Number of events in its training or test.
        moved: Time of the last new position.
        who: Process id and host.
    """

    beat: bytes = b""
    heard: float = 0.0
    position: int = 0
    moved: float = 0.0
    who: str = ""


@dataclass
class RankWatch:
    """Thread that exchanges signs of life with the other processes of a run.

    Args:
        store: Client of the store of the launcher, used by no other thread.
        prefix: Beginning of the keys in the store.
        rank: Rank of this process.
        world_size: Number of processes.
        timeouts: Timeouts.
    """

    store: Store
    prefix: str
    rank: int
    world_size: int
    timeouts: Timeouts
    _position: int = 0
    _ranks: dict[int, _Rank] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def advance(self) -> None:
        """Note an event in the training or test of this process."""
        self._position += 1

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="rank watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread, and say that this process has finished."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(2 * _STORE_TIMEOUT)

    def _run(self) -> None:
        """Exchange messages until `stop`."""
        interval = min(_LONGEST_INTERVAL, self.timeouts.rank / 10)
        last, count, is_warned = time.monotonic(), 0, False
        while not self._stop.wait(interval):
            count += 1
            now = time.monotonic()
            if now - last > max(5 * interval, self.timeouts.rank / 4):
                # This process itself was stopped, perhaps with all others: their time starts again.
                self._ranks.clear()
            try:
                self._exchange(count)
            except RuntimeError as error:
                if "timeout" not in str(error).lower() and not self._stop.is_set():
                    end_process(
                        f"rank {self.rank} lost the connection to the launcher, which must run "
                        f"until the end ({_first_line(error)})"
                    )
                if not is_warned:
                    warnings.warn(
                        "the launcher does not answer; a stopped process would not be noticed",
                        stacklevel=1,
                    )
                is_warned = True
                self._ranks.clear()
            else:
                self._check(time.monotonic())
            last = time.monotonic()
        self._say_goodbye()

    def _exchange(self, count: int) -> None:
        """Write the message of this process and read those of the others."""
        who = f"process {os.getpid()} on {socket.gethostname()}"
        self.store.set(self._key(self.rank), f"{count}|{self._position}|{who}")
        keys = {rank: self._key(rank) for rank in range(self.world_size)}
        present = [rank for rank, key in keys.items() if rank in self._ranks or self._has(key)]
        beats = self.store.multi_get([keys[rank] for rank in present])
        now = time.monotonic()
        for rank, beat in zip(present, beats, strict=True):
            self._hear(self._ranks.setdefault(rank, _Rank(heard=now, moved=now)), bytes(beat), now)

    def _hear(self, rank: _Rank, beat: bytes, now: float) -> None:
        if beat == rank.beat:
            return
        rank.beat, rank.heard = beat, now
        _, position, rank.who = beat.decode(errors="replace").split("|", 2)
        if int(position) != rank.position:
            rank.position, rank.moved = int(position), now

    def _check(self, now: float) -> None:
        """End this process if another one is stopped or hangs."""
        running = {r: state for r, state in self._ranks.items() if not state.beat.startswith(b"-")}
        for rank, state in running.items():
            if rank != self.rank and now - state.heard > self.timeouts.rank:
                end_process(
                    f"rank {rank} ({state.who}) has not responded for {self.timeouts.rank:g} s: it "
                    f"is stopped, or its machine cannot be reached. Rank {self.rank} ends; "
                    "training continues with --resume from the last checkpoint. The limit is "
                    "env_cfg.dist_cfg.rank_timeout"
                )
        positions = {state.position for state in running.values()}
        still = all(now - state.moved > self.timeouts.collective for state in running.values())
        if len(positions) > 1 and still:
            behind = [r for r, state in running.items() if state.position == min(positions)]
            names = ", ".join(f"{rank} ({running[rank].who})" for rank in behind)
            end_process(
                f"the others have waited for rank {names} for {self.timeouts.collective:g} s: it "
                "is alive but hangs, for example while it loads data. The limit is "
                "env_cfg.dist_cfg.timeout"
            )

    def _say_goodbye(self) -> None:
        try:
            self.store.set(self._key(self.rank), f"-|{self._position}|finished")
        except RuntimeError:
            return  # the launcher has ended before

    def _has(self, key: str) -> bool:
        return self.store.check([key])

    def _key(self, rank: int) -> str:
        return f"{self.prefix}/{rank}"


@contextmanager
def watch_ranks(timeouts: Timeouts) -> Iterator[RankWatch | None]:
    """Watch the launcher and the other processes of a run under torchrun.

    The store of the launcher must run already, as torchrun's does.

    Args:
        timeouts: Timeouts.

    Yields:
        The watch; `None` if there is one process, or the store cannot be reached.
    """
    rank, world_size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    with ends_with_parent(f"rank {rank}", "launcher"):
        watch = _connect(rank, world_size, timeouts) if world_size > 1 else None
        if watch is None:
            yield None
            return
        watch.start()
        try:
            yield watch
        finally:
            watch.stop()


def _connect(rank: int, world_size: int, timeouts: Timeouts) -> RankWatch | None:
    """Return a watch that is connected to the store."""
    run = os.environ.get("TORCHELASTIC_RUN_ID", "run")
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    try:
        store = TCPStore(
            os.environ["MASTER_ADDR"],
            int(os.environ["MASTER_PORT"]),
            is_master=False,
            timeout=timedelta(seconds=_STORE_TIMEOUT),
        )
    except (RuntimeError, KeyError, ValueError) as error:
        warnings.warn(
            f"the store of the launcher cannot be reached ({_first_line(error)}), so a stopped "
            f"process is noticed only after {timeouts.collective:g} s",
            stacklevel=2,
        )
        return None
    return RankWatch(store, f"vgtoolbox/{run}/{attempt}", rank, world_size, timeouts)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
