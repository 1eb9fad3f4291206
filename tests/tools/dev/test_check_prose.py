"""The prose checker: findings with a place and a suggestion, and no alarm at plain English."""

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "tools" / "dev" / "check_prose.py"


@pytest.fixture(scope="module")
def checker():
    spec = importlib.util.spec_from_file_location("check_prose", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def find(checker):
    """Return a function that gives (line, phrase) of each finding in a text."""
    rules = checker.load_rules()

    def check(source, name="page.md"):
        return [(f.line, f.phrase) for f in checker.check_source(Path(name), source, rules)]

    return check


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("The file stands in the folder.", "stands"),
        ("The point lies outside.", "lies"),
        ("Its name tells the layout.", "tells"),
        ("They are told apart by color.", "told"),
        ("The file is no image.", "is no"),
        ("Values that are no numbers.", "are no"),
        ("The loss is no number any more.", "no number any more"),
        ("It can not be read.", "can not"),
        ("Training goes on.", "goes on"),
        ("A killed run goes\non at the last step.", "goes on"),
        ("One beside the other.", "beside"),
        ("Mend the annotations.", "Mend"),
        ("Start anew.", "anew"),
        ("The torso of a line.", "torso"),
        ("Keys of strangers.", "strangers"),
        ("It reads so many samples.", "so many"),
        ("Expected as many of one as of the other.", "as many of one as of"),
        ("Print one line a sample.", "one line a"),
        ("It reuses what is there.", "what is there"),
        ("Drop what has no mask.", "what has"),
        ("What has no split is in every split.", "What"),
        ("It gives two. Of the others it gives none.", "Of"),
        ("Every data set.", "data set"),
        ("The colours of the map.", "colours"),
        ("It is labelled.", "labelled"),
        ("Normalised boxes are recognised.", "Normalised"),
        ("Analyse it.", "Analyse"),
        ("The centred licence.", "centred"),
    ],
)
def test_a_forbidden_phrase_is_found_with_its_line(find, text, phrase):
    found = find(f"# Title\n\n{text}\n")
    assert (3, phrase) in found


@pytest.mark.parametrize(
    "text",
    [
        "B stands for the batch. The stub stands in for a tokenizer; a stand-in. Errors stand out.",
        "Lay it out in rows. There is no such file. It is no longer needed.",
        "The box is no larger than the image; is no-target.",
        "A teddy bear. The polar bear.",
        "Understand the standard. It cannot be read. Amending outlives blending.",
        "So many that none fits. As many rows as expressions.",
        "## What does the model return?\n\nOf course it does.",
        "Say what goes wrong.",
        "The `colour` key, `data set` and\n\n    colour = data set\n",
        "```\ncolour that stands\n```\n",
        "See [the page](docs/colour_centre.md).",
        "The sentence, the premise, the raised exercise, a precise otherwise, rising noise.",
        "Analysis, emphasis, hypothesis; the dialogue; four hours; raise a franchise.",
        "A bounding box at a time.",
        "The file is no image.  <!-- prose: ok -->",
    ],
)
def test_plain_english_and_code_raise_no_alarm(find, text):
    assert find(f"# Title\n\n{text}\n") == []


MODULE = '''"""{first}"""

import os


def test_it_goes_on(x):
    """Return x.

    Args:
        x: {argument}

    Attributes:
        y (int): Of the model;
            continued: Of no item.
    """
    # It
    # can not be.
    z = "stands"
    return "it " "stands" + f"{{x}} is no image" + os.sep  # colour
'''


def test_docstrings_comments_strings_and_names_of_python(find):
    found = find(MODULE.format(first="Read a file.", argument="Value."), "part.py")
    assert found == [
        (6, "goes on"),
        (13, "Args: Of ..."),
        (14, "Of"),
        (17, "can not"),
        (19, "colour"),
        (19, "is no"),
        (19, "stands"),
    ]


@pytest.mark.parametrize(
    "first", ["How to read.", "Where it is.", "Reading a file.", "From a file."]
)
def test_the_first_line_of_a_module(find, first):
    assert find(f'"""{first}"""\n', "part.py")[0][0] == 1


@pytest.mark.parametrize("first", ["Read a file.", "Training and testing from a config."])
def test_a_good_first_line_of_a_module(find, first):
    assert find(f'"""{first}"""\n', "part.py") == []


@pytest.mark.parametrize(
    "text", ["How many.", "As in the paper.", "In training.", "Keep it.", "It."]
)
def test_the_beginning_of_an_argument(find, text):
    found = find(MODULE.format(first="Read.", argument=text), "part.py")
    assert (10, f"Args: {text.split()[0].strip('.')} ...") in found


@pytest.mark.parametrize(
    "text", ["Number of rows.", "If true, all.", "Whether to keep it.", "(B, C)."]
)
def test_a_good_beginning_of_an_argument(find, text):
    found = find(MODULE.format(first="Read.", argument=text), "part.py")
    assert [phrase for line, phrase in found if line == 10] == []


def test_allowances_in_python(find):
    assert find('WORDS = "left beside right"  # prose: ok\n', "part.py") == []
    assert find('"""Words.\n\nOne beside the other.\n"""  # prose: ok\n', "part.py") == []
    assert find('A = 1  # prose: ok\nB = "one beside another"\n', "part.py") == [(2, "beside")]


def test_a_phrase_across_adjacent_literals(find):
    assert find('raise ValueError(\n    "it goes "\n    "on"\n)\n', "part.py") == [(2, "goes on")]


def test_python_in_a_page_is_checked_as_python(find):
    assert find("# T\n\n```python\nx = 1  # it stands\n```\n") == [(4, "stands")]


def test_cells_of_a_notebook(find):
    cells = (
        '{"cells": [{"cell_type": "markdown", "source": ["# T\\n", "It stands."]},'
        ' {"cell_type": "code", "source": ["x = 1  # is no image"]}]}'
    )
    assert find(cells, "a.ipynb") == [(2, "stands"), (3, "is no")]


def test_exit_code_and_output(checker, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(checker, "ROOT", tmp_path)
    monkeypatch.setattr(checker, "find_files", lambda paths: [tmp_path / "page.md"])
    (tmp_path / "page.md").write_text("It stands here.\n")
    assert checker.main([]) == 1
    assert capsys.readouterr().out.startswith('page.md:1: "stands" -> is')
    (tmp_path / "page.md").write_text("It is here.\n")
    assert checker.main([]) == 0


def test_only_files_under_the_given_paths(checker):
    files = checker.find_files([checker.ROOT / "docs"])
    assert checker.ROOT / "docs" / "index.md" in files
    assert all(file.is_relative_to(checker.ROOT / "docs") for file in files)
