import re
from dataclasses import replace

import numpy as np
import pytest

from vgtoolbox.shapes.evaluator import evaluate
from vgtoolbox.shapes.generator import draw_references
from vgtoolbox.shapes.programs import Filter, Region, Relate, Union, parse_program
from vgtoolbox.shapes.sampler import Number
from vgtoolbox.shapes.scales import SCALES
from vgtoolbox.shapes.scene import Scene
from vgtoolbox.shapes.verbalizer import Verbalizer, attribute_words


def spoken(draw_scene, scale: str, scenes: int):
    for seed in range(scenes):
        scene = draw_scene(scale, seed).scene
        for reference in draw_references(np.random.default_rng(seed), scene, SCALES[scale]):
            for sentence in reference.sentences:
                yield scene, reference, sentence


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
def test_an_independent_reader_gets_the_program_back(draw_scene, parse_english, scale) -> None:
    for _, _, sentence in spoken(draw_scene, scale, 60):
        assert parse_english(sentence.text) == parse_program(sentence.program), sentence.text


@pytest.mark.parametrize("scale", list(SCALES))
def test_a_mirrored_image_needs_only_left_and_right_exchanged(
    draw_scene, parse_english, scale
) -> None:
    sided = 0
    for scene, reference, sentence in spoken(draw_scene, scale, 25):
        text = swap_sides(sentence.text)
        sided += text != sentence.text
        assert evaluate(parse_english(text), mirrored(scene)) == set(reference.targets)
    assert sided > 20


def test_sentences_are_clean_and_raw_says_the_same(draw_scene) -> None:
    for _, _, sentence in spoken(draw_scene, "large", 10):
        assert re.fullmatch(r"[a-z]+( [a-z]+)*", sentence.text)
        assert sentence.raw.rstrip(".").lower() == sentence.text


def test_hand_written_phrases() -> None:
    verbalizer = Verbalizer(np.random.default_rng(0))
    red = Filter("triangle", "red")
    assert {verbalizer.say(red, Number.SINGULAR) for _ in range(30)} == {
        "the red triangle",
        "red triangle",
    }
    said = {verbalizer.say(Relate(red, "below", Filter("star")), Number.PLURAL) for _ in range(99)}
    assert "all the red triangles lower than the star" in said
    with pytest.raises(ValueError, match="union"):
        verbalizer.say(Region(Union(red, Filter("star")), "left"), Number.PLURAL)


@pytest.mark.parametrize(
    ("token", "meaning"),
    [
        ("boxes", ("shape", "square")),
        ("stars", ("shape", "star")),
        ("large", ("size", "big")),
        ("pink", ("colour", "pink")),
        ("spotted", ("texture", "dotted")),
        ("things", None),
        ("left", None),
    ],
)
def test_attribute_words(token: str, meaning) -> None:
    assert attribute_words(token) == meaning
