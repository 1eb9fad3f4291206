"""A page in its own process, whose memory and files are measured."""

from __future__ import annotations

import io
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[3]
START_SECONDS = 240


class PageProcess:
    """Page that `tools/webui.py` serves; a context manager.

    Args:
        checkpoint: Checkpoint of the model.
        words: Additional arguments of the command.
    """

    def __init__(self, checkpoint: Path, words: tuple[str, ...] = ()) -> None:
        self.model = checkpoint.stem
        self.port = _free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="attacked-page-")
        self.temporary = Path(self._folder.name)
        self._log = (self.temporary / "page.log").open("w")
        (self.temporary / "tmp").mkdir()
        self._command = [sys.executable, str(ROOT / "tools" / "webui.py"), "--device", "cpu"]
        self._command += ["--checkpoint", str(checkpoint), "--port", str(self.port), *words]

    def __enter__(self) -> PageProcess:
        self.start()
        return self

    def start(self) -> None:
        """Start the page, and wait until it answers.

        Raises:
            RuntimeError: It does not.
        """
        self.process = subprocess.Popen(
            self._command,
            env={**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(self.temporary / "tmp")},
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + START_SECONDS
        while not self._is_up():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the page did not start:\n{self.log()}")
            time.sleep(0.3)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._left = self.folders()
        self._log.close()
        self._folder.cleanup()

    def stop(self) -> int:
        """End the page as `kill` does, and return its exit code."""
        self.process.terminate()
        return self.process.wait(60)

    def log(self) -> str:
        """Return what the page has printed."""
        return (self.temporary / "page.log").read_text(encoding="utf-8", errors="replace")

    def folders(self) -> list[str]:
        """Return the names of the page's temporary folders."""
        return [path.name for path in (self.temporary / "tmp").glob("vgtoolbox-web-*")]

    def leftovers(self) -> list[str]:
        """Return the names of the folders that the page has left behind."""
        return self._left

    def secrets(self) -> list[str]:
        """Return texts that no answer may contain."""
        return [str(self.temporary), str(ROOT), "Traceback (most recent", "root:x:0:0"]

    def resident_mb(self) -> float:
        """Return the resident memory of the process."""
        return self._status("VmRSS")

    def peak_mb(self) -> float:
        """Return the largest resident memory since the start."""
        return self._status("VmHWM")

    def file_mb(self) -> float:
        """Return the size of the page's temporary files."""
        files = (self.temporary / "tmp").rglob("*")
        return sum(file.stat().st_size for file in files if file.is_file()) / 2**20

    def _status(self, key: str) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        found = re.search(rf"{key}:\s+(\d+) kB", status)
        return int(found[1]) / 1024 if found else 0.0

    def _is_up(self) -> bool:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/robots.txt", timeout=10).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True


def photo(width: int, height: int, kind: str = "JPEG") -> bytes:
    """Return an image file of smooth noise."""
    small = np.random.default_rng(0).integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(small).resize((width, height)).save(file, kind)
    return file.getvalue()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
