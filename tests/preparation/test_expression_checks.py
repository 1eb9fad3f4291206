import json

import pytest
from PIL import Image

from vgtoolbox.cli.main import main
from vgtoolbox.datasets.transforms.text import CLEANINGS
from vgtoolbox.preparation.checks import PROBLEM_KINDS, check_benchmark
from vgtoolbox.preparation.expression_checks import find_expression_problems
from vgtoolbox.preparation.own_data import own_benchmark


def kinds(text):
    return [kind for kind, _ in find_expression_problems(text)]


@pytest.mark.parametrize(
    "text",
    [
        "the dog",
        "caf\u00e9 犬",
        "7",
        "🐶",
        "👩\u200d🦰",
        "dog!\n",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "x" * 99,
    ],
)
def test_usual_expressions_have_no_problem(text):
    assert kinds(text) == []


@pytest.mark.parametrize(
    "text", ["", " ", "...", "?!", "\u2026", "-", "\u200b", "\u200b\u200d", "\0", "\u2066\u2069"]
)
def test_expressions_without_words_are_empty(text):
    assert kinds(text) == ["expression-empty"]


@pytest.mark.parametrize("cleaning", CLEANINGS.values(), ids=CLEANINGS)
def test_what_training_cleans_away_is_empty(cleaning):
    for text in (".", ",;:!?", "\"'()*#", " - / ", "\t\n"):
        assert cleaning(text).strip() or kinds(text) == ["expression-empty"]


@pytest.mark.parametrize(
    "text",
    ["caf\ud83d box", "\udce9", "dog\0", "\x1b[31mdog", "\u202egod eht", "a\ufeffb", "a\u00ad"],
)
def test_half_and_invisible_characters_are_found(text):
    assert kinds(text) == ["expression-characters"]


def test_long_texts_are_found():
    assert kinds("dog " * 500) == ["expression-long"]
    assert kinds("犬" * 2000) == ["expression-long"]
    assert kinds("dog " * 100) == []


def test_messages_are_short_and_can_be_printed():
    for text in ("dog " * 500 + "\ud83d", "\ud83d", "..."):
        for kind, message in find_expression_problems(text):
            assert kind in PROBLEM_KINDS
            assert len(message) < 200
            message.encode()


@pytest.fixture
def write(tmp_path):
    def write(entries):
        file = tmp_path / "mine.jsonl"
        lines = []
        for number, entry in enumerate(entries):
            Image.new("RGB", (40, 30)).save(tmp_path / f"{number}.png")
            lines.append({"image": f"{number}.png", "boxes": [[1, 1, 9, 9]], **entry})
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return file

    return write


def problems(file):
    report = check_benchmark(own_benchmark(file, file.parent), file.parent)
    return [(problem.kind, problem.location) for problem in report.all_problems]


def test_the_check_names_the_line_of_each_expression(write):
    file = write(
        {"expression": text}
        for text in ("the dog", "...", "caf\ud83d", "\u200b", ["a dog", "?"], "dog " * 500)
    )
    assert problems(file) == [
        ("expression-empty", "all, mine.jsonl, line 2"),
        ("expression-characters", "all, mine.jsonl, line 3"),
        ("expression-empty", "all, mine.jsonl, line 4"),
        ("expression-empty", "all, mine.jsonl, line 5"),
        ("expression-long", "all, mine.jsonl, line 6"),
    ]


def test_the_report_of_a_lone_surrogate_can_be_printed(write, capsys):
    file = write([{"expression": "caf\ud83d"}])
    assert main(["data", "own", str(file), "--folder", str(file.parent)]) == 1
    assert r"a lone surrogate) in 'caf\ud83d'" in capsys.readouterr().out


@pytest.mark.parametrize("expression", [7, None, [], ["dog", 3], {"text": "dog"}, True])
def test_expressions_of_other_types_violate_the_format(write, expression):
    assert problems(write([{"expression": "dog"}, {"expression": expression}])) == [
        ("format", "all, mine.jsonl, line 2")
    ]


@pytest.mark.parametrize(
    ("split", "intended"),
    [("Val", "val"), ("vall", "val"), ("tran", "train"), ("testa", "testA"), ("test A", "testA")],
)
def test_misspelled_splits_are_found(write, split, intended):
    file = write({"expression": "dog", "split": name} for name in ("train", intended, split))
    report = check_benchmark(own_benchmark(file, file.parent), file.parent)
    (problem,) = report.all_problems
    assert (problem.kind, problem.location) == ("split-name", split)
    assert problem.message == f"{split!r}; did you mean {intended!r}?"


def test_other_names_of_splits_are_accepted(write):
    names = [
        "train",
        "val",
        "testA",
        "testB",
        "test2",
        "train_1",
        "testD",
        "eval",
        "dev",
        "kitchen",
    ]
    assert problems(write({"expression": "dog", "split": name} for name in names)) == []


def test_a_file_without_expressions_is_a_problem(write):
    assert problems(write([])) == [("split-empty", "all")]
