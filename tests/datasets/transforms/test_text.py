import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vgtoolbox.datasets import (
    ChooseExpression,
    CleanExpression,
    TokenizeExpression,
    clean_expression,
    swap_left_and_right,
)
from vgtoolbox.datasets.transforms.text import CLEANINGS


@pytest.mark.parametrize(
    ("text", "swapped"),
    [
        ("left dog", "right dog"),
        ("the dog on the right.", "the dog on the left."),
        ("leftmost cup, second from right", "rightmost cup, second from left"),
        ("left-hand side", "right-hand side"),
        ("Left dog, RIGHT cat", "Right dog, LEFT cat"),
        ("lefty", "righty"),
        ("moving leftwards", "moving rightwards"),
        # Parts of other words do not name sides.
        ("the leftover bright copyright frightened cleft", None),
        ("uprightness", None),
        ("", None),
    ],
)
def test_sides_are_swapped_in_whole_words(text, swapped):
    assert swap_left_and_right(text) == (text if swapped is None else swapped)


WORDS = st.sampled_from(
    [
        "left",
        "right",
        "Left",
        "RIGHT",
        "rightmost",
        "left-hand",
        "leftover",
        "bright",
        "a",
        "-",
        "é",
    ]
)


@given(st.lists(WORDS | st.text(max_size=5)).map(" ".join))
def test_swapping_twice_restores_the_text(text):
    if swap_left_and_right(text).lower() == text.lower():
        return
    assert swap_left_and_right(swap_left_and_right(text)).lower() == text.lower()


@given(st.lists(WORDS).map(" ".join))
def test_swapping_twice_restores_common_letter_case(text):
    assert swap_left_and_right(swap_left_and_right(text)) == text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("The man's left-hand/side, (red)!", "the mans left hand side red"),
        ('"A" dog: #2; really? * ', "a dog 2 really"),
        ("  two\tblanks  ", "two blanks"),
        ("ÜBER dem Café, 犬", "über dem café 犬"),
    ],
)
def test_expression_is_cleaned(text, cleaned):
    assert clean_expression(text) == cleaned


@pytest.mark.parametrize(
    ("variant", "cleaned"),
    [
        ("instancevg", "the mans left hand dog"),
        ("plvl", "the man's left-hand dog..."),
        ("mllmseg", "the man's left-hand dog"),
        ("uground", "the man's left-hand dog"),
        ("none", " The man's left-hand Dog... "),
    ],
)
def test_each_system_has_its_own_cleaning(variant, cleaned):
    sample = {"expression": " The man's left-hand Dog... "}
    assert CleanExpression(variant)(sample)["expression"] == cleaned


def test_dots_at_the_start_are_dropped_by_two_systems():
    cleaned = {v: CleanExpression(v)({"expression": ".Dog."})["expression"] for v in CLEANINGS}
    assert cleaned == {
        "instancevg": "dog",
        "plvl": ".dog.",
        "mllmseg": "dog",
        "uground": ".dog",
        "none": ".Dog.",
    }


def test_unknown_cleaning_raises():
    with pytest.raises(ValueError, match=r"variant must be 'instancevg', .*, got 'bert'"):
        CleanExpression("bert")


@given(st.sampled_from(sorted(CLEANINGS)), st.text())
def test_every_cleaning_is_idempotent_up_to_spaces(variant, text):
    once = CLEANINGS[variant](text)
    assert CLEANINGS[variant](once.strip()).strip() == CLEANINGS[variant](once).strip()


@given(st.text())
def test_cleaning_is_idempotent(text):
    assert clean_expression(clean_expression(text)) == clean_expression(text)


@pytest.mark.parametrize("text", ["", "   ", "?!.", "- /"])
def test_error_for_empty_expression_names_the_sample(text):
    with pytest.raises(ValueError, match=r"sample 5_9, image a\.jpg: the expression .* is empty"):
        CleanExpression()({"expression": text, "sample_id": "5_9", "img_path": "a.jpg"})


def test_sentences_are_chosen_equally_often():
    rng = np.random.default_rng(0)
    sentences = ["a", "b", "c"]
    chosen = [
        ChooseExpression()({"expressions": sentences, "rng": rng})["expression"] for _ in range(300)
    ]
    assert all(80 <= chosen.count(sentence) <= 120 for sentence in sentences)


def test_single_sentence_needs_no_generator():
    assert ChooseExpression()({"expressions": ["a dog"]})["expression"] == "a dog"


def test_record_without_sentences_raises():
    with pytest.raises(ValueError, match="sample 3: the annotation must have a sentence"):
        ChooseExpression()({"expressions": [], "sample_id": "3"})


def test_tokens_are_added(tokenizer):
    results = TokenizeExpression(tokenizer=tokenizer, max_tokens=9)({"expression": "red circle"})
    ids, padding = tokenizer("red circle", 9)
    assert results["token_ids"].tolist() == ids.tolist()
    assert results["text_padding_mask"].tolist() == padding.tolist()


def test_tokenizer_is_built_from_its_config(tokenizer_file):
    config = {"type": "BEiT3Tokenizer", "model_file": str(tokenizer_file)}
    step = TokenizeExpression(tokenizer=config, max_tokens=9)
    assert step({"expression": "red"})["token_ids"].shape == (9,)


def test_error_for_expression_without_tokens_names_the_sample(tokenizer):
    step = TokenizeExpression(tokenizer=tokenizer, max_tokens=9)
    with pytest.raises(ValueError, match="sample 5_9: the expression must contain words, got ' '"):
        step({"expression": " ", "sample_id": "5_9"})
