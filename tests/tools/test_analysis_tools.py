"""Scripts of tools/analysis: analyze_logs, compare_runs, print_config and get_flops."""

import json
import runpy
import sys
from pathlib import Path

import pytest

ANALYSIS = Path(__file__).parents[2] / "tools" / "analysis"


@pytest.fixture
def tool(monkeypatch, capsys):
    """Return a function that runs a script and returns exit code, stdout and stderr."""

    def run(name, *words):
        monkeypatch.setattr(sys, "argv", [name, *map(str, words)])
        monkeypatch.setenv("COLUMNS", "200")
        code = 0
        try:
            runpy.run_path(str(ANALYSIS / f"{name}.py"), run_name="__main__")
        except SystemExit as exit_:
            code = exit_.code
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def work_dir(tmp_path):
    log = tmp_path / "run" / "20260101_000000" / "vis_data" / "scalars.json"
    log.parent.mkdir(parents=True)
    rows = [{"loss": 3.0, "step": 1}, {"loss": 4.0, "step": 2}, {"gres/gIoU": 25.5, "step": 1}]
    log.write_text("\n".join(map(json.dumps, rows)))
    return tmp_path / "run"


class TestAnalyzeLogs:
    def test_last_and_best(self, tool, work_dir, tmp_path):
        code, out, _ = tool("analyze_logs", work_dir, "--out", tmp_path / "curves.svg")
        assert code == 0
        (line,) = [line for line in out.splitlines() if " loss " in line]
        assert [cell.strip() for cell in line.strip("│").split("│")[1:]] == ["loss", "4", "3", "1"]
        assert "25.5" in out
        assert "<svg" in (tmp_path / "curves.svg").read_text()

    def test_chosen_keys(self, tool, work_dir):
        assert "gres" not in tool("analyze_logs", work_dir, "--keys", "loss")[1]
        code, _, err = tool("analyze_logs", work_dir, "--keys", "nothing")
        assert code == 2
        assert "got 'nothing'" in err


class TestCompareRuns:
    @pytest.fixture
    def reports(self, tmp_path):
        for name, value, threshold in (("a", 50.0, 0.7), ("b", 52.5, 0.6)):
            (tmp_path / name).mkdir()
            content = {
                "splits": {"val": {"gres/gIoU": value}, name: {"x": 1.0}},
                "protocol": {"gres": {"thr": threshold}},
            }
            (tmp_path / name / "metrics.json").write_text(json.dumps(content))
        return tmp_path / "a", tmp_path / "b" / "metrics.json"

    def test_differences_from_the_first(self, tool, reports):
        code, out, err = tool("compare_runs", *reports)
        assert code == 0
        assert "52.50 (+2.50)" in out
        assert "warning: gres was computed with different settings" in err

    def test_one_split(self, tool, reports):
        assert "x" not in tool("compare_runs", *reports, "--split", "val")[1].split("\n", 3)[3]
        code, _, err = tool("compare_runs", *reports, "--split", "testC")
        assert code == 2
        assert "splits: ['a', 'b', 'val']" in err

    def test_other_files_are_errors(self, tool, tmp_path):
        (tmp_path / "x.json").write_text("{}")
        assert "has no 'splits'" in tool("compare_runs", tmp_path / "x.json")[2]
        assert "vgtoolbox test" in tool("compare_runs", tmp_path)[2]


class TestPrintConfig:
    def test_a_section_with_an_override(self, tool, miniature_config):
        words = ["--key", "model.postprocessor"]
        words += ["--cfg-options", "model.postprocessor.score_thr=0.25"]
        code, out, _ = tool("print_config", miniature_config, *words)
        assert code == 0
        assert out.startswith("postprocessor = dict(")
        assert "score_thr=0.25" in out
        assert "backbone" not in out

    def test_the_printed_config_can_be_used_again(self, tool, miniature_config, tmp_path):
        out = tool("print_config", miniature_config)[1]
        copy = tmp_path / "copy.py"
        copy.write_text(out)
        assert tool("print_config", copy)[1] == out

    def test_an_unknown_section(self, tool, miniature_config):
        code, _, err = tool("print_config", miniature_config, "--key", "model.postproc")
        assert code == 2
        assert "'postproc' is not among" in err


class TestGetFlops:
    def test_parts_and_all(self, tool, miniature_config):
        code, out, _ = tool("get_flops", miniature_config)
        assert code == 0
        assert "input: 1 x 32 x 32 pixels, 40 tokens" in out
        rows = [
            [cell.strip() for cell in line.strip("│").split("│")]
            for line in out.splitlines()
            if line.startswith("│")
        ]
        parameters = {row[0]: int(row[1].replace(",", "")) for row in rows}
        assert parameters["all"] == sum(n for name, n in parameters.items() if name != "all")
        assert next(float(row[3]) for row in rows if row[0] == "all") > 0

    def test_operations_grow_with_the_batch(self, tool, miniature_config):
        def total(*words):
            out = tool("get_flops", miniature_config, *words)[1]
            (line,) = [line for line in out.splitlines() if line.startswith("│ all")]
            return float(line.split("│")[4])

        assert total("--batch-size", "8") == pytest.approx(8 * total("--batch-size", "1"), rel=0.1)
