import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision import tv_tensors

from vgtoolbox.datasets import RandomHorizontalFlip, swap_left_and_right
from vgtoolbox.datasets.transforms.side_words import check_extra_words, has_unknown_words
from vgtoolbox.datasets.transforms.text import names_position


@pytest.mark.parametrize(
    ("text", "swapped"),
    [
        ("rightest guy in black", "leftest guy in black"),
        (
            "LEFTMOST cup, Right-most cup, left most cup",
            "RIGHTMOST cup, Left-most cup, right most cup",
        ),
        ("on the lefthand side", "on the righthand side"),
        ("righthandside leftside", "lefthandside rightside"),
        ("bottomleft, TopRight, upperleft", "bottomright, TopLeft, upperright"),
        ("leftish rightie lefties left-handed", "rightish leftie righties right-handed"),
        ("top_left 2ndleft left2", "top_right 2ndright right2"),
        ("left/right", "right/left"),
        ("man's right hand", "man's left hand"),
    ],
)
def test_endings_and_glued_words_are_swapped(text, swapped):
    assert swap_left_and_right(text) == swapped
    assert swap_left_and_right(swapped) == text


@pytest.mark.parametrize(
    ("text", "swapped"),
    [
        ("lefft guy", "right guy"),
        ("guy on leff", "guy on right"),
        ("rigth one", "left one"),
        ("RIHGT", "LEFT"),
        ("Leftt-most", "Right-most"),
        ("righ", "left"),
        ("rt guy, lft girl", "left guy, right girl"),
    ],
)
def test_misspelled_sides_are_swapped_and_corrected(text, swapped):
    assert swap_left_and_right(text) == swapped


@pytest.mark.parametrize(
    "text",
    [
        "standing right next to a stop sign",  # prose: ok
        "follows right behind the car",
        "Right Above the sign, RIGHT BELOW it",
        "dog right under the table, right underneath the lamp",
        "the cup right beside the plate and right by the fork",  # prose: ok
        "the guy right in front of the bus, right on top of it",
        "broccoli that is right in the center",
        "the chair right at the door",
        "the one right there, right here, right now",
        "right after the car, right before the bus",
        "a right angle, cut at right angles",
        "right away from the camera",
        "the right side up cup",
        "it's right behind the car",
        # "left" as the past of "leave".
        "the bag left behind",
        "the left over pizza, a left-over slice",
        "the cake that was left on the table",
        "being left alone",
        "the man who has left the room",
        "what is left of the cake",  # prose: ok
        "the door left open",
        # Parts of other words.
        "upright bright leftover copyright frightened cleft downright wrights",
        "light night fight weft lift theft",
    ],
)
def test_words_that_name_no_side_stay(text):
    assert swap_left_and_right(text) == text


@pytest.mark.parametrize(
    ("text", "swapped"),
    [
        ("slice of pizza on the right in front", "slice of pizza on the left in front"),
        ("the chair on right behind the bus", "the chair on left behind the bus"),
        ("far right next to the door", "far left next to the door"),
        ("bottom right under the tree", "bottom left under the tree"),
        ("the man on the right, next to her", "the man on the left, next to her"),
        ("person right, behind the car", "person left, behind the car"),
        ("left and right behind", "right and left behind"),
        ("guy right in blue", "guy left in blue"),
        ("is left of the tree", "is right of the tree"),
        ("was left of the tree", "was right of the tree"),
        ("has left hand up", "has right hand up"),
        ("on the left over there", "on the right over there"),
    ],
)
def test_sides_before_prepositions_are_swapped(text, swapped):
    assert swap_left_and_right(text) == swapped
    assert swap_left_and_right(swapped) == text


SIDES = st.sampled_from(["left", "right", "Leftmost", "RIGHT", "lefthand", "topright", "rightest"])
OTHERS = st.sampled_from(
    ["dog", "the", "on", "far", "behind", "over", "was", "of", ",", "red", "s"]
)


@given(st.lists(SIDES | OTHERS).map(" ".join))
def test_swapping_twice_restores_known_words(text):
    assert swap_left_and_right(swap_left_and_right(text)) == text


def test_a_left_that_became_a_right_in_the_sense_of_directly_stays():
    once = swap_left_and_right("man left by car")
    assert once == "man right by car"
    assert swap_left_and_right(once) == once


@given(st.text() | st.text(alphabet="leftrigh\u0131\u017f\u0130 mostx'-\u0301"))
def test_any_text_is_accepted(text):
    swap_left_and_right(text)
    swap_left_and_right(text, {"links": "rechts", "左": "右"})
    has_unknown_words(text)


def test_long_texts_take_little_time():
    started = time.perf_counter()
    swap_left_and_right("left behind right next to " * 4000)
    swap_left_and_right("topmid" * 20_000 + "left")
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize(
    ("text", "is_unknown"),
    [
        ("the left dog in the café", False),
        ("左边的人", True),
        ("собака слева", True),
        ("الكلب على اليسار", True),
        ("der linke Hund", True),
        ("le chien à gauche", True),
        ("EL PERRO DE LA IZQUIERDA", True),
        ("\uff4c\uff45\uff46\uff54 dog", True),
        ("le\u200bft dog", True),
        ("dog 🐶 with 3 € sign", False),
    ],
)
def test_texts_with_unknown_side_words_are_recognized(text, is_unknown):
    assert has_unknown_words(text) is is_unknown
    assert names_position(text) or not is_unknown


def flip(expression, **options):
    results = {
        "image": tv_tensors.Image(torch.arange(3 * 2 * 4, dtype=torch.uint8).view(3, 2, 4)),
        "expression": expression,
        "rng": np.random.default_rng(0),
    }
    return RandomHorizontalFlip(1.0, **options)(results)


def test_sample_with_unknown_side_words_is_not_mirrored():
    for expression in ("左边的人", "der linke Hund"):
        results = flip(expression)
        assert results["expression"] == expression
        assert "flip" not in results
        assert results["image"][0, 0].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("expression", "swapped"),
    [
        ("左边的人", "右边的人"),
        ("der Hund links", "der Hund rechts"),
        ("Links, nicht rechtsum", "Rechts, nicht rechtsum"),
        ("the left one", "the right one"),
    ],
)
def test_given_words_of_other_languages_are_swapped(expression, swapped):
    results = flip(expression, extra_words={"links": "rechts", "左": "右"})
    assert results["expression"] == swapped
    assert results["flip"]
    assert results["image"][0, 0].tolist() == [3, 2, 1, 0]


def test_given_words_do_not_make_other_alphabets_known():
    assert "flip" not in flip("собака слева", extra_words={"左": "右"})


@pytest.mark.parametrize("options", [{"unknown_words": "mirror"}, {"word_swap": "published"}])
def test_unknown_words_can_be_mirrored_all_the_same(options):
    results = flip("der linke Hund", **options)
    assert results["flip"]
    assert results["expression"] == "der linke Hund"


def test_one_unknown_expression_of_a_group_keeps_the_image():
    results = {
        "image": tv_tensors.Image(torch.zeros(3, 2, 4, dtype=torch.uint8)),
        "sampled_expressions": [("left dog", [0]), ("linker Hund", [0])],
        "rng": np.random.default_rng(0),
    }
    results = RandomHorizontalFlip(1.0)(results)
    assert results["sampled_expressions"][0][0] == "left dog"
    assert "flip" not in results


def test_zero_probability_turns_mirroring_off():
    rng = np.random.default_rng(0)
    image = tv_tensors.Image(torch.zeros(3, 2, 4, dtype=torch.uint8))
    for _ in range(20):
        results = RandomHorizontalFlip(0.0)({"image": image, "expression": "left", "rng": rng})
        assert results["expression"] == "left"


@pytest.mark.parametrize(
    "words", [{"links": "links"}, {"links": "rechts", "rechts": "x"}, {"": "x"}, {"left": "links"}]
)
def test_ambiguous_words_are_refused(words):
    with pytest.raises(ValueError, match="extra_words must be pairs of different words"):
        check_extra_words(words)
    with pytest.raises(ValueError, match="extra_words"):
        RandomHorizontalFlip(extra_words=words)


def test_unknown_option_is_refused():
    with pytest.raises(ValueError, match="unknown_words must be 'skip' or 'mirror', got 'drop'"):
        RandomHorizontalFlip(unknown_words="drop")


def test_conversations_are_written_after_mirroring():
    with pytest.raises(ValueError, match="sample 7: RandomHorizontalFlip must come before"):
        RandomHorizontalFlip(1.0)({"conversations": (), "sample_id": "7"})


def test_expressions_are_swapped_before_one_is_chosen():
    record = {
        "image": tv_tensors.Image(torch.zeros(3, 2, 4, dtype=torch.uint8)),
        "expressions": ["left dog", "dog on the right"],
        "rng": np.random.default_rng(0),
    }
    assert RandomHorizontalFlip(1.0)({**record})["expressions"] == ["right dog", "dog on the left"]
    assert record["expressions"] == ["left dog", "dog on the right"]
