"""Send fifty concurrent HTTP requests to the page that `tools/webui.py` serves."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

WEBUI = Path(__file__).parents[2] / "tools" / "webui.py"
VISITORS = 50
BROKEN_EVERY = 10
MAX_GROWTH_MB = 300
SECONDS = 240


class Page:
    """Page in its own process, with the HTTP requests that a browser sends."""

    def __init__(self, checkpoint, log):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}/gradio_api"
        words = ["--checkpoint", checkpoint, "--port", port, "--device", "cpu"]
        self.process = subprocess.Popen(
            [sys.executable, str(WEBUI), *map(str, words)],
            env={**os.environ, "OMP_NUM_THREADS": "1", "GRADIO_ANALYTICS_ENABLED": "False"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + SECONDS
        while not self.is_up():
            assert self.process.poll() is None, "the page did not start"
            assert time.monotonic() < deadline, "the page does not answer"
            time.sleep(0.5)

    def is_up(self):
        try:
            return bool(self.fetch("info"))
        except urllib.error.URLError:
            return False

    def fetch(self, path, body=None, kind="application/json"):
        request = urllib.request.Request(f"{self.address}/{path}", body, {"Content-Type": kind})
        with urllib.request.urlopen(request, timeout=SECONDS) as reply:
            return reply.read()

    def upload(self, path):
        mark = uuid.uuid4().hex
        head = f'--{mark}\r\nContent-Disposition: form-data; name="files"; filename="{path.name}"'
        body = f"{head}\r\n\r\n".encode() + path.read_bytes() + f"\r\n--{mark}--\r\n".encode()
        (stored,) = json.loads(self.fetch("upload", body, f"multipart/form-data; boundary={mark}"))
        return stored

    def ask(self, path, words, model):
        """Return the kind of the last event, and the values of the response or the error."""
        file = {
            "path": self.upload(path),
            "orig_name": path.name,
            "meta": {"_type": "gradio.FileData"},
        }
        body = json.dumps({"data": [file, words, model, 0.01, ["boxes"]]}).encode()
        event = json.loads(self.fetch("call/find", body))["event_id"]
        stream = self.fetch(f"call/find/{event}").decode()
        kind, data = re.findall(r"event: (\w+)\ndata: (.*)", stream)[-1]
        return kind, json.loads(data)

    def resident_mb(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) / 1024


@pytest.fixture
def page(released_checkpoint, tmp_path):
    pytest.importorskip("gradio", reason="gradio is not installed")
    if not Path("/proc/self/status").is_file():
        pytest.skip("memory is read from /proc")
    with (tmp_path / "page.log").open("w") as log:
        page = Page(released_checkpoint, log)
        yield page
        page.process.terminate()
        page.process.wait(30)


@pytest.fixture
def files(tmp_path):
    photo, text = tmp_path / "photo.jpg", tmp_path / "text.jpg"
    pixels = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(photo)
    text.write_text("just words")
    return photo, text


@pytest.mark.slow
@pytest.mark.timeout(2 * SECONDS)
def test_fifty_concurrent_requests_are_answered(page, files, released_checkpoint, capsys):
    photo, text = files
    model = released_checkpoint.stem
    assert page.ask(photo, "warm up", model)[0] == "complete"
    before, started = page.resident_mb(), time.monotonic()

    def visit(number):
        is_broken = number % BROKEN_EVERY == 0
        return page.ask(text if is_broken else photo, f"{'very ' * number}red circle", model)

    with ThreadPoolExecutor(VISITORS) as visitors:
        responses = list(visitors.map(visit, range(VISITORS)))
    seconds, after = time.monotonic() - started, page.resident_mb()
    for number, (kind, values) in enumerate(responses):
        if number % BROKEN_EVERY == 0:
            assert kind == "error"
            continue
        assert kind == "complete"
        assert f"{'very ' * number}red circle"[:79] in values[0]
    assert page.process.poll() is None
    assert page.ask(photo, "and then", model)[0] == "complete"
    assert after - before < MAX_GROWTH_MB
    with capsys.disabled():
        print(f"\n{VISITORS} visitors: {seconds:.1f} s, {before:.0f} MB before, {after:.0f} after")
