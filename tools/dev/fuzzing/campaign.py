"""Mutate inputs, hand them to a worker process, and record what it does with them."""

from __future__ import annotations

import json
import os
import random
import select
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fuzzing.byte_mutators import MAX_BYTES
from fuzzing.formats import FORMATS

WORKER = Path(__file__).with_name("worker.py")
REPOSITORY = Path(__file__).resolve().parents[3]
CORPUS = REPOSITORY / "tests" / "fixtures" / "fuzz"
LIMIT_SECONDS = 5.0
LIMIT_MB = 1024.0
_START_SECONDS = 300.0
_INPUTS_PER_WORKER = 3000
_BATCH = 32
_POOL = 200
FINDINGS = ("crash", "hang", "memory", "foreign", "wrong")


class Worker:
    """Process that runs readers, started again after a crash and after some thousand inputs.

    Args:
        out: Folder of the log.
    """

    def __init__(self, out: Path) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self.log = out / f"worker-{os.getpid()}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._buffer = b""
        self._served = 0
        self._formats: set[str] = set()

    def run(self, name: str, paths: Sequence[Path]) -> Iterator[dict[str, Any]]:
        """Yield the outcome of each input of a format.

        All inputs are sent at once, so that the process does not wait for its parent between them.

        Raises:
            RuntimeError: The process could not be started for this format.
        """
        done = 0
        while done < len(paths):
            self._prepare(name)
            self._send("".join(f"{name}\t{path}\n" for path in paths[done:]))
            for _ in paths[done:]:
                answer = self._receive(LIMIT_SECONDS)
                done += 1
                self._served += 1
                yield self._ended() if answer is None else _judge_memory(answer)
                if answer is None:
                    break  # the others need a new process

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    stream.close()
        self._process, self._buffer, self._served = None, b"", 0
        self._formats.clear()

    def _prepare(self, name: str) -> None:
        """Start the process, if needed, and the reader of a format."""
        if self._served >= _INPUTS_PER_WORKER:
            self.close()
        if name in self._formats:
            return
        self._send(f"{name}\t\n")
        if self._receive(_START_SECONDS) is None:
            raise RuntimeError(f"the worker of {name} did not start: {self._last_lines()}")
        self._formats.add(name)

    def _start(self) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        paths = [str(REPOSITORY), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        return subprocess.Popen(
            [sys.executable, str(WORKER), str(self.log.resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            cwd=REPOSITORY,
        )

    def _send(self, lines: str) -> None:
        process = self._process = self._process or self._start()
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # the next answer is then missing
            process.stdin.write(lines.encode())
            process.stdin.flush()

    def _receive(self, seconds: float) -> dict[str, Any] | None:
        """Return the next answer of the process, or `None` if it ends or takes too long."""
        process = self._process
        assert process is not None
        assert process.stdout is not None
        deadline = time.monotonic() + seconds
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
                return None
            part = os.read(process.stdout.fileno(), 1 << 16)
            if not part:
                return None
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)

    def _ended(self) -> dict[str, Any]:
        """Return the outcome of an input without an answer, and end the process."""
        assert self._process is not None
        try:
            code = self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self.close()
            return _outcome("hang", f"no answer after {LIMIT_SECONDS:.0f} s")
        lines = self._last_lines()
        self.close()
        return _outcome("crash", f"exit status {code}: {lines}")

    def _last_lines(self) -> str:
        text = self.log.read_text(errors="replace") if self.log.is_file() else ""
        frames = [line.strip() for line in text.splitlines() if "vgtoolbox" in line]
        return (frames[:1] or text.strip().splitlines()[-1:] or ["no message"])[0][-160:]


def _judge_memory(answer: dict[str, Any]) -> dict[str, Any]:
    if answer["peak_mb"] <= LIMIT_MB:
        return answer
    signature = f"{answer['signature']} with more than {LIMIT_MB:.0f} MiB"
    return {**answer, "outcome": "memory", "signature": signature}


def _outcome(outcome: str, signature: str) -> dict[str, Any]:
    return {
        "outcome": outcome,
        "signature": signature,
        "message": "",
        "seconds": LIMIT_SECONDS if outcome == "hang" else 0.0,
        "peak_mb": 0.0,
    }


@dataclass
class Report:
    """Counts of one format."""

    name: str
    inputs: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: dict[str, int] = field(default_factory=dict)
    """Number of inputs by "<kind>: <signature>"."""
    peak_mb: float = 0.0
    slowest: float = 0.0

    def as_row(self) -> dict[str, Any]:
        """Return plain values for the table."""
        counts = {kind: self.outcomes[kind] for kind in ("accepted", "refused", *FINDINGS)}
        measured = {"peak_mb": round(self.peak_mb, 1), "slowest_s": round(self.slowest, 2)}
        return {"format": self.name, "inputs": self.inputs, **counts, **measured}


class Campaign:
    """Fuzzing of one format.

    Args:
        name: Name of the format.
        worker: Process that runs the reader.
        out: Folder for findings.
        seed: Seed of the mutations: the same seed and the same outcomes give the same inputs.
    """

    def __init__(self, name: str, worker: Worker, out: Path, seed: int) -> None:
        self.report = Report(name)
        self._format = FORMATS[name]
        self._out = out
        out.mkdir(parents=True, exist_ok=True)
        self._rng = random.Random(f"{seed} {name}")
        self._pool = [file.read_bytes() for file in corpus_files(name)]
        self._seeds = len(self._pool)
        self._seen: set[str] = set()
        self._worker = worker

    def run(self, *, inputs: int | None = None, seconds: float | None = None) -> Report:
        """Run mutated inputs until a number or a time is reached.

        Args:
            inputs: Number of inputs. If `None`, only the time counts.
            seconds: Time. If `None`, only the number counts.
        """
        deadline = time.monotonic() + (seconds if seconds is not None else float("inf"))
        count = 0
        while (inputs is None or count < inputs) and time.monotonic() < deadline:
            batch = _BATCH if inputs is None else min(_BATCH, inputs - count)
            self.try_inputs([self.mutated() for _ in range(batch)])
            count += batch
        return self.report

    def mutated(self) -> bytes:
        """Return the next input."""
        data = self._rng.choice(self._pool)
        for _ in range(self._rng.choice((1, 1, 1, 2, 3))):
            mutate = self._rng.choice(self._format.mutators)
            data = mutate(self._rng, data, self._pool[: self._seeds])[:MAX_BYTES]
        return data

    def try_input(self, data: bytes) -> dict[str, Any]:
        """Run one input and record its outcome."""
        return self.try_inputs([data])[0]

    def try_inputs(self, inputs: Sequence[bytes]) -> list[dict[str, Any]]:
        """Run inputs and record their outcomes."""
        # Written before they run, so that a killed parent leaves the inputs behind as well.
        paths = [self._out / f"{self.report.name}.current-{i:02d}" for i in range(len(inputs))]
        for path, data in zip(paths, inputs, strict=True):
            path.write_bytes(data)
        answers = list(self._worker.run(self.report.name, paths))
        for position, answer in enumerate(answers):
            if answer["outcome"] == "hang":  # a busy machine is not a hang
                (answers[position],) = self._worker.run(self.report.name, [paths[position]])
        for answer, data in zip(answers, inputs, strict=True):
            self._count(answer, data)
        for path in paths:
            path.unlink()
        return answers

    def _count(self, answer: dict[str, Any], data: bytes) -> None:
        """Add an outcome to the report."""
        report = self.report
        report.inputs += 1
        report.outcomes[answer["outcome"]] += 1
        report.peak_mb = max(report.peak_mb, answer["peak_mb"])
        report.slowest = max(report.slowest, answer["seconds"])
        if answer["outcome"] in FINDINGS:
            self._record(answer, data)
        elif answer["outcome"] == "refused" and answer["signature"] not in self._seen:
            # An input that reaches a new check is worth further mutations.
            self._seen.add(answer["signature"])
            self._pool[_POOL:] = []
            self._pool.append(data)

    def _record(self, answer: dict[str, Any], data: bytes) -> None:
        """Write the first input of each signature, and count the others."""
        line = f"{answer['outcome']}: {answer['signature']}"
        known = self.report.findings
        if line not in known:
            file = self._out / f"{self.report.name}-{answer['outcome']}-{len(known):02d}"
            file.write_bytes(data)
            with (self._out / "findings.txt").open("a", encoding="utf-8") as lines:
                lines.write(f"{file.name}\t{line}: {answer['message'][:200]!r}\n")
        known[line] = known.get(line, 0) + 1


def corpus_files(name: str) -> list[Path]:
    """Return the committed inputs of a format, the valid files first.

    Raises:
        FileNotFoundError: There are none.
    """
    folder = CORPUS / (FORMATS[name].corpus or name)
    files = sorted(folder.glob("*"), key=lambda file: (not file.name.startswith("valid"), file))
    if not files:
        raise FileNotFoundError(f"no corpus of {name} at {folder}; write it with --write-corpus")
    return files


def run_formats(
    names: list[str], out: Path, *, seed: int, inputs: int | None, minutes: float | None
) -> Iterator[Report]:
    """Fuzz several formats one after another; time and inputs are divided among them."""
    worker = Worker(out)
    try:
        for name in names:
            seconds = None if minutes is None else 60 * minutes / len(names)
            yield Campaign(name, worker, out, seed).run(inputs=inputs, seconds=seconds)
    finally:
        worker.close()
