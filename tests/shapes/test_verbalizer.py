import re
from dataclasses import replace

import numpy as np
import pytest

from vgtoolbox.shapes.evaluator import evaluate
from vgtoolbox.shapes.generator import draw_refs
from vgtoolbox.shapes.programs import Filter, Region, Relate, Union, parse_program
from vgtoolbox.shapes.sampler import GrammaticalNumber
from vgtoolbox.shapes.scales import SCALES
from vgtoolbox.shapes.scene import Scene
from vgtoolbox.shapes.verbalizer import Verbalizer, attribute_words


def spoken(draw_scene, scale: str, scenes: int):
    for seed in range(scenes):
        scene = draw_scene(scale, seed).scene
        for ref in draw_refs(np.random.default_rng(seed), scene, SCALES[scale]):
            for sentence in ref.sentences:
                yield scene, ref, sentence


def mirrored(scene: Scene) -> Scene:
    objects = []
    for item in scene.objects:
        x, y, w, h = item.box_xywh
        objects.append(replace(item, box_xywh=(scene.width - x - w, y, w, h)))
    return replace(scene, objects=tuple(objects))


def swap_sides(text: str) -> str:
    swap = {"left": "right", "right": "left"}
    return " ".join(swap.get(word, word) for word in text.split())


@pytest.mark.parametrize("scale", list(SCALES))
def test_independent_parser_recovers_the_program(draw_scene, parse_english, scale) -> None:
    for _, _, sentence in spoken(draw_scene, scale, 60):
        assert parse_english(sentence.text) == parse_program(sentence.program), sentence.text


@pytest.mark.parametrize("scale", list(SCALES))
def test_swapping_left_and_right_describes_the_mirrored_image(
    draw_scene, parse_english, scale
) -> None:
    sided = 0
    for scene, ref, sentence in spoken(draw_scene, scale, 25):
        text = swap_sides(sentence.text)
        sided += text != sentence.text
        assert evaluate(parse_english(text), mirrored(scene)) == set(ref.targets)
    assert sided > 20


def test_sentences_are_clean_and_raw_differs_only_in_case_and_period(draw_scene) -> None:
    for _, _, sentence in spoken(draw_scene, "large", 10):
        assert re.fullmatch(r"[a-z]+( [a-z]+)*", sentence.text)
        assert sentence.raw.rstrip(".").lower() == sentence.text


def test_phrases_of_hand_written_programs() -> None:
    verbalizer = Verbalizer(np.random.default_rng(0))
    red = Filter("triangle", "red")
    assert {verbalizer.verbalize(red, GrammaticalNumber.SINGULAR) for _ in range(30)} == {
        "the red triangle",
        "red triangle",
    }
    said = {
        verbalizer.verbalize(Relate(red, "below", Filter("star")), GrammaticalNumber.PLURAL)
        for _ in range(99)
    }
    assert "all the red triangles lower than the star" in said
    with pytest.raises(ValueError, match="union"):
        verbalizer.verbalize(Region(Union(red, Filter("star")), "left"), GrammaticalNumber.PLURAL)


@pytest.mark.parametrize(
    ("token", "meaning"),
    [
        ("boxes", ("shape", "square")),
        ("stars", ("shape", "star")),
        ("large", ("size", "big")),
        ("pink", ("color", "pink")),
        ("spotted", ("texture", "dotted")),
        ("things", None),
        ("left", None),
    ],
)
def test_attribute_words(token: str, meaning) -> None:
    assert attribute_words(token) == meaning
