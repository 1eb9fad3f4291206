"""Fuzzing: the corpus is read as it must be, findings are recognized, and a short run has none."""

import random
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
sys.path.insert(0, str(REPOSITORY / "tools" / "dev"))

from fuzzing import campaign  # noqa: E402
from fuzzing import worker as worker_module  # noqa: E402
from fuzzing.campaign import FINDINGS, Campaign, Worker, corpus_files, run_formats  # noqa: E402
from fuzzing.formats import FORMATS  # noqa: E402
from fuzzing.target import ImpossibleValueError, Target  # noqa: E402

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs the /proc of Linux")

MAX_CORPUS_BYTES = 300_000


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    worker = Worker(tmp_path_factory.mktemp("worker"))
    yield worker
    worker.close()


@pytest.mark.parametrize("name", FORMATS)
def test_the_corpus_is_read_or_refused(name, worker, tmp_path):
    fuzzer = Campaign(name, worker, tmp_path, seed=0)
    for file in corpus_files(name):
        answer = fuzzer.try_input(file.read_bytes())
        allowed = ("accepted",) if file.name.startswith("valid") else ("accepted", "refused")
        assert answer["outcome"] in allowed, (file, answer)


def test_the_corpus_is_small():
    files = [file for file in campaign.CORPUS.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < MAX_CORPUS_BYTES


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_seed_gives_the_same_inputs(name, worker, tmp_path):
    fuzzers = [Campaign(name, worker, tmp_path, seed) for seed in (3, 3, 4)]
    first, second, other = ([fuzzer.mutated() for _ in range(20)] for fuzzer in fuzzers)
    assert first == second != other
    assert len(set(first)) > 5
    assert max(map(len, first)) <= campaign.MAX_BYTES


@pytest.mark.parametrize("name", FORMATS)
def test_mutators_accept_any_bytes(name):
    rng = random.Random(0)
    broken = [b"", b"\0", b"[" * 2000, b"PK\x03\x04", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b'"']
    for mutate in dict.fromkeys(FORMATS[name].mutators):
        for data in (*broken, *(rng.randbytes(40) for _ in range(20))):
            assert isinstance(mutate(rng, data, broken), bytes)


def test_outcomes_are_judged(tmp_path):
    class OwnError(ValueError):
        pass

    OwnError.__module__ = "vgtoolbox.fake"

    def outcome(error, **options):
        def run(folder):
            if error is not None:
                raise error

        target = Target("a.json", run, (OwnError, ValueError), **options)
        return worker_module.run_once(target, tmp_path, b"")[0]

    assert outcome(None) == "accepted"
    assert outcome(OwnError("a.json is broken")) == "refused"
    assert outcome(OwnError("something is broken")) == "foreign"
    assert outcome(OwnError("something is broken"), names_file=False) == "refused"
    assert outcome(ValueError("a.json")) == "foreign", "not raised by the package"
    assert outcome(KeyError("a.json")) == "foreign"
    assert outcome(ImpossibleValueError("a.json")) == "wrong"
    hidden = OwnError("a.json")
    hidden.__cause__ = MemoryError()
    assert outcome(hidden) == "memory"


STUB = """
import json, os, sys, time
for line in sys.stdin:
    data = open(line.split("\\t")[1].strip()).read() if line.strip().split("\\t")[1:] else "ready"
    if data == "hang":
        time.sleep(60)
    if data == "crash":
        os.abort()
    peak = 2000.0 if data == "memory" else 1.0
    print(json.dumps({"outcome": "accepted", "signature": "", "message": "", "seconds": 0,
                      "peak_mb": peak}), flush=True)
"""


def test_crashes_hangs_and_memory_are_found_and_recorded(tmp_path, monkeypatch):
    stub = tmp_path / "stub.py"
    stub.write_text(STUB)
    monkeypatch.setattr(campaign, "WORKER", stub)
    monkeypatch.setattr(campaign, "LIMIT_SECONDS", 1.0)
    out = tmp_path / "out"
    worker = Worker(out)
    fuzzer = Campaign("grefcoco", worker, out, seed=0)
    fuzzer.try_inputs([b"fine", b"hang", b"crash", b"crash", b"memory"])
    assert fuzzer.try_input(b"fine")["outcome"] == "accepted"
    worker.close()
    row = fuzzer.report.as_row()
    found = {kind: row[kind] for kind in ("inputs", "accepted", "hang", "crash", "memory")}
    assert found == {"inputs": 6, "accepted": 2, "hang": 1, "crash": 2, "memory": 1}
    files = {file.name.split("-")[1]: file.read_bytes() for file in out.glob("grefcoco-*")}
    assert files == {"hang": b"hang", "crash": b"crash", "memory": b"memory"}
    assert len((out / "findings.txt").read_text().splitlines()) == 3


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_short_run_has_no_finding(tmp_path):
    reports = list(run_formats(list(FORMATS), tmp_path, seed=1, inputs=200, minutes=None))
    findings = {report.name: report.findings for report in reports if report.findings}
    assert not findings
    assert all(report.inputs == 200 for report in reports)
    assert not any(report.outcomes[kind] for report in reports for kind in FINDINGS)
