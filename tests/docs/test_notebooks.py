"""examples/*.ipynb: valid, without outputs, and executed from another folder in the slow test."""

from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))


def read(file):
    return nbformat.read(file, as_version=4)


def outputs_of(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


@pytest.fixture
def execute(tmp_path, monkeypatch):
    """Return a function that runs a notebook in an empty folder and returns it with outputs."""
    client = pytest.importorskip("nbclient")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    def run(name):
        notebook = read(ROOT / "examples" / name)
        resources = {"metadata": {"path": str(tmp_path)}}
        client.NotebookClient(
            notebook, timeout=300, kernel_name="python3", resources=resources
        ).execute()
        return notebook

    return run


def test_there_are_two_notebooks():
    assert [file.name for file in NOTEBOOKS] == ["ground_a_photo.ipynb", "train_on_your_data.ipynb"]


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.name)
def test_a_notebook_is_valid_and_has_no_outputs(file):
    notebook = read(file)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert outputs_of(notebook) == []
    assert all(cell.execution_count is None for cell in code)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ground_a_photo(execute):
    outputs = outputs_of(execute("ground_a_photo.ipynb"))
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) >= 2  # the result and the attention map
    text = "".join(output.get("text", "") for output in outputs)
    assert "every circle: 2 targets" in text
    assert "a red square: 0 targets" in text


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_train_on_your_data(execute):
    outputs = outputs_of(execute("train_on_your_data.ipynb"))
    text = "".join(output.get("text", "") for output in outputs)
    (line,) = [line for line in text.splitlines() if line.startswith("gres/gIoU: ")]
    before, after = map(float, line.removeprefix("gres/gIoU: ").split(" -> "))
    assert 0 < before <= after
    assert "image/png" in outputs[-1]["data"]
