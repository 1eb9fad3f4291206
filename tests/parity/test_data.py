"""Check that the recorded data in the repository is complete and unchanged."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.parity.conftest import matching_files

DATA = Path(__file__).with_name("data")
MANIFEST = DATA / "MANIFEST.sha256"
NOT_RECORDED = {"README.md", MANIFEST.name}


@pytest.fixture(scope="module")
def digests() -> dict[str, str]:
    lines = (line.split("  ") for line in MANIFEST.read_text().splitlines())
    return {name: digest for digest, name in lines}


def test_every_file_is_in_the_manifest(digests):
    assert {path.name for path in DATA.iterdir()} - NOT_RECORDED == set(digests)


def test_every_file_has_the_recorded_digest(digests):
    assert {name: hashlib.sha256((DATA / name).read_bytes()).hexdigest() for name in digests} == (
        digests
    )


def test_every_recording_has_its_layout():
    for recording in DATA.glob("*.npz"):
        layout = recording.stem.rpartition("_seed")[0]
        assert (DATA / f"{layout}.tsv").is_file(), recording.name


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"must contain files 'x_\*\.npz', got none"):
        matching_files(tmp_path, "x_*.npz")
