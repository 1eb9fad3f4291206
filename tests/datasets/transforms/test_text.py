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
        # No sides: parts of other words.
        ("the leftover bright copyright frightened cleft", None),
        ("uprightness", None),
        ("", None),
    ],
)
def test_sides_are_swapped_by_words(text, swapped):
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
def test_swapped_twice_is_as_before(text):
    if swap_left_and_right(text).lower() == text.lower():
        return
    assert swap_left_and_right(swap_left_and_right(text)).lower() == text.lower()


@given(st.lists(WORDS).map(" ".join))
def test_common_case_survives_two_swaps(text):
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
def test_cleaning(text, cleaned):
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
def test_each_system_cleans_in_its_way(variant, cleaned):
    sample = {"expression": " The man's left-hand Dog... "}
    assert CleanExpression(variant)(sample)["expression"] == cleaned


def test_only_one_system_drops_dots_in_front():
    cleaned = {v: CleanExpression(v)({"expression": ".Dog."})["expression"] for v in CLEANINGS}
    assert cleaned == {
        "instancevg": "dog",
        "plvl": ".dog.",
        "mllmseg": "dog",
        "uground": ".dog",
        "none": ".Dog.",
    }


def test_an_unknown_cleaning_is_an_error():
    with pytest.raises(ValueError, match=r"variant must be one of \['instancevg', .*, got 'bert'"):
        CleanExpression("bert")


@given(st.sampled_from(sorted(CLEANINGS)), st.text())
def test_every_cleaning_is_idempotent_on_what_it_gave(variant, text):
    once = CLEANINGS[variant](text)
    assert CLEANINGS[variant](once.strip()).strip() == CLEANINGS[variant](once).strip()


@given(st.text())
def test_cleaning_is_idempotent(text):
    assert clean_expression(clean_expression(text)) == clean_expression(text)


@pytest.mark.parametrize("text", ["", "   ", "?!.", "- /"])
def test_an_empty_expression_names_its_sample(text):
    with pytest.raises(ValueError, match=r"sample 5_9, image a\.jpg: the expression .* is empty"):
        CleanExpression()({"expression": text, "sample_id": "5_9", "img_path": "a.jpg"})


def test_every_sentence_is_chosen_now_and_then():
    rng = np.random.default_rng(0)
    sentences = ["a", "b", "c"]
    chosen = [
        ChooseExpression()({"expressions": sentences, "rng": rng})["expression"] for _ in range(300)
    ]
    assert all(80 <= chosen.count(sentence) <= 120 for sentence in sentences)


def test_a_single_sentence_needs_no_generator():
    assert ChooseExpression()({"expressions": ["a dog"]})["expression"] == "a dog"


def test_no_sentence_is_an_error():
    with pytest.raises(ValueError, match="sample 3: the annotation has no sentence"):
        ChooseExpression()({"expressions": [], "sample_id": "3"})


def test_tokens_are_added(tokenizer):
    results = TokenizeExpression(tokenizer=tokenizer, max_tokens=9)({"expression": "red circle"})
    ids, padding = tokenizer("red circle", 9)
    assert results["token_ids"].tolist() == ids.tolist()
    assert results["text_padding_mask"].tolist() == padding.tolist()


def test_a_tokenizer_is_built_from_its_config(tokenizer_file):
    config = {"type": "BEiT3Tokenizer", "model_file": str(tokenizer_file)}
    step = TokenizeExpression(tokenizer=config, max_tokens=9)
    assert step({"expression": "red"})["token_ids"].shape == (9,)


def test_an_expression_without_a_token_names_its_sample(tokenizer):
    step = TokenizeExpression(tokenizer=tokenizer, max_tokens=9)
    with pytest.raises(ValueError, match="sample 5_9: the expression ' ' has no token"):
        step({"expression": " ", "sample_id": "5_9"})
