"""Subcommands of tools/prepare_data.py on one generated world."""

import json
import runpy
import shutil
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "prepare_data.py"


@pytest.fixture
def run(monkeypatch, capsys):
    """Return a function that runs the tool and returns its exit code and output."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", [str(TOOL), *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "200")
        with pytest.raises(SystemExit) as stopped:
            runpy.run_path(str(TOOL), run_name="__main__")
        code = stopped.value.code
        if isinstance(code, str):  # Python prints it and exits with 1
            return 1, code
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return call


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return tmp_path_factory.mktemp("world") / "shapes"


def make(run, world, *formats):
    counts = ("--num-train", 5, "--num-val", 2, "--num-test", 2, "--workers", 1)
    return run("shapes", "--out", world, *counts, *formats)


def test_shapes_alone_has_no_other_format(run, tmp_path):
    code, printed = make(run, tmp_path / "shapes")
    assert code == 0
    assert "no target percent" in printed
    folders = {path.name for path in (tmp_path / "shapes").iterdir() if path.is_dir()}
    assert folders == {"images", "refcoco", "grefcoco"}


def test_formats_are_added_to_an_existing_world(run, world):
    make(run, world)
    code, printed = make(run, world, "--formats", "refzom,rrefcoco")
    assert code == 0
    assert "found complete, reused" in printed
    assert (world / "ref-zom" / "refs(final).p").is_file()
    assert set(json.loads((world / "counts.json").read_text())) >= {"refzom", "rrefcoco"}
    code, printed = make(run, world, "--formats", "refcoco3")
    assert (code, "format must be" in printed) == (2, True)


def test_check_exits_with_1_if_there_is_a_problem(run, world, tmp_path):
    make(run, world, "--formats", "refzom")
    code, printed = run("check", "refzom", "--root", world)
    assert (code, "no problems" in printed) == (0, True)
    copy = shutil.copytree(world, tmp_path / "copy")
    next((copy / "images").iterdir()).unlink()
    code, printed = run("check", "grefcoco", "--root", copy, "--fix", tmp_path / "repaired")
    assert code == 1
    assert "image-missing" in printed and "dropped" in printed
    assert run("check", "grefcoco", "--root", tmp_path / "repaired")[0] == 0


def test_a_benchmark_lists_its_files_and_is_set_up(run, world, tmp_path):
    make(run, world, "--formats", "refzom")
    data, source = tmp_path / "data", tmp_path / "downloads"
    code, printed = run("refzom", "--root", data)
    assert code == 1
    assert "ref-zom/refs(final).p" in printed and "missing" in printed
    assert "https://github.com/toggle1995/RIS-DMMI" in printed and "--source" in printed
    shutil.copytree(world / "ref-zom", source / "ref-zom")
    for part in ("train2014", "val2014"):
        shutil.copytree(world / "images", source / part)
    code, printed = run("refzom", "--root", data, "--source", source)
    assert (code, "all files are present" in printed) == (0, True)


def test_leaks_are_listed(run, world, tmp_path):
    make(run, world)
    code, printed = run("leaks", "refcoco", "--root", world)
    assert (code, "no test image is" in printed) == (0, True)
    out = tmp_path / "leaks.json"
    code, printed = run(
        "leaks", "grefcoco:test", "--tests", "refcoco:test", "--root", world, "--out", out
    )
    assert code == 1
    assert len(json.loads(out.read_text())[0]["images"]) == 2
