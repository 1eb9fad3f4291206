"""Run readers on many inputs, in a process that its parent may kill.

    python worker.py LOG

A line of the standard input is the name of a format, a tab and the path of an input, or no path to
prepare the format; a line of the standard output is the outcome as JSON. Everything that readers
print goes to LOG, which is searched for tracebacks.
"""

from __future__ import annotations

import faulthandler
import json
import linecache
import os
import resource
import sys
import tempfile
import time
import traceback
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzzing.formats import FORMATS
from fuzzing.target import Target

ADDRESS_SPACE_MARGIN = 3 << 29
"""Bytes of address space above the idle process: more raises MemoryError instead of swapping."""
_PACKAGE = f"{os.sep}vgtoolbox{os.sep}"


def memory_mb(field: str) -> float:
    """Return `VmRSS`, `VmHWM` or `VmSize` of this process in MiB."""
    with Path("/proc/self/status").open() as file:
        for line in file:
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
    raise ValueError(f"field must be one of /proc/self/status, got {field!r}")


def reset_peak() -> None:
    """Set `VmHWM` to the memory that is used now."""
    Path("/proc/self/clear_refs").write_text("5")


def run_once(target: Target, folder: Path, data: bytes) -> tuple[str, str, str]:
    """Run the reader on one input.

    Returns:
        The outcome ("accepted", "refused", "foreign", "memory" or "wrong"), its signature, and the
        message of the error.
    """
    (folder / target.file).write_bytes(data)
    try:
        target.run(folder)
    except Exception as error:
        return _judge(error, target, folder)
    return "accepted", "", ""


def _judge(error: Exception, target: Target, folder: Path) -> tuple[str, str, str]:
    message = _message(error)
    frames = traceback.extract_tb(error.__traceback__)
    last = ([frame for frame in frames if _PACKAGE in frame.filename] or frames)[-1]
    signature = f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno} {last.name}"
    if _is_out_of_memory(error):
        return "memory", f"out of memory, {signature}", message
    if type(error).__name__ == "ImpossibleValueError":
        return "wrong", signature, message
    if not _is_ours(error, target):
        return "foreign", signature, message
    if target.names_file and str(folder) not in message and Path(target.file).name not in message:
        return "foreign", f"the error names no file: {signature}", message
    return "refused", signature, message


def _message(error: Exception) -> str:
    return str(error).encode("utf-8", "backslashreplace").decode()


def _is_ours(error: Exception, target: Target) -> bool:
    """Return whether an error is documented and was raised on purpose."""
    if not isinstance(error, target.errors):
        return False
    if type(error).__module__.startswith("vgtoolbox.") or isinstance(error, FileNotFoundError):
        return True
    # A ValueError of ours comes from a `raise`, not from a call of a library that failed.
    tip = traceback.extract_tb(error.__traceback__)[-1]
    line = linecache.getline(tip.filename, tip.lineno or 0).strip()
    return type(error) in target.errors and _PACKAGE in tip.filename and line.startswith("raise")


def _is_out_of_memory(error: BaseException | None) -> bool:
    while error is not None:
        text = str(error)
        if isinstance(error, MemoryError) or "can't allocate memory" in text:
            return True
        if "Unable to allocate" in text or "Insufficient memory" in text:
            return True
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return False


class _Log:
    """File that receives the standard output and error of readers and of C libraries."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb+")
        os.dup2(self._file.fileno(), 1)
        os.dup2(self._file.fileno(), 2)
        faulthandler.enable(file=sys.stderr)

    def take(self) -> str:
        """Return what was printed since the last call."""
        sys.stdout.flush()
        sys.stderr.flush()
        size = os.lseek(self._file.fileno(), 0, os.SEEK_END)
        text = os.pread(self._file.fileno(), 1 << 16, 0).decode("utf-8", "replace") if size else ""
        os.ftruncate(self._file.fileno(), 0)
        os.lseek(self._file.fileno(), 0, os.SEEK_SET)
        return text


def main(log_path: str) -> None:
    """Serve inputs until the standard input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    log = _Log(Path(log_path))
    runners: dict[str, _Runner] = {}
    with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
        for line in sys.stdin:
            name, _, path = line.rstrip("\n").partition("\t")
            if name not in runners:
                runners[name] = _Runner(name, Path(place, name))
            answer = runners[name].answer(Path(path), log) if path else {"ready": True}
            answers.write(json.dumps(answer) + "\n")


class _Runner:
    """Reader of one format in its folder.

    Args:
        name: Name of the format.
        folder: Folder to create.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.target: Target = import_module(f"fuzzing.{FORMATS[name].module}").TARGETS[name]
        self.folder = folder
        folder.mkdir()
        self.target.prepare(folder)
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        for file in sorted(corpus_folder(name).glob("valid-*")):
            run_once(self.target, folder, file.read_bytes())
        self.idle_mb = memory_mb("VmRSS")
        self.address_space = int(memory_mb("VmSize") * 2**20) + ADDRESS_SPACE_MARGIN

    def answer(self, path: Path, log: _Log) -> dict[str, Any]:
        """Run one input and return its outcome, the time and the memory."""
        data = path.read_bytes()
        resource.setrlimit(resource.RLIMIT_AS, (self.address_space, resource.RLIM_INFINITY))
        reset_peak()
        started = time.perf_counter()
        outcome, signature, message = run_once(self.target, self.folder, data)
        seconds = time.perf_counter() - started
        printed = log.take()
        if "Traceback (most recent call last)" in printed and outcome in ("accepted", "refused"):
            last = printed.strip().splitlines()[-1]
            outcome, signature = "foreign", f"printed a traceback: {last[:120]}"
        return {
            "outcome": outcome,
            "signature": signature,
            "message": message[:500],
            "seconds": seconds,
            "peak_mb": max(0.0, memory_mb("VmHWM") - self.idle_mb),
        }


def corpus_folder(name: str) -> Path:
    """Return the folder of the committed corpus of a format."""
    repository = Path(__file__).resolve().parents[3]
    return repository / "tests" / "fixtures" / "fuzz" / (FORMATS[name].corpus or name)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(sys.argv[1])
