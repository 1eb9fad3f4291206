"""Independent English parser of the generated sentences; it shares no code with the verbalizer."""

from collections.abc import Callable

import numpy as np
import pytest

from vgtoolbox.shapes.programs import (
    Compare,
    Count,
    Except,
    Extent,
    Extreme,
    Filter,
    Nearest,
    Ordinal,
    Program,
    Region,
    Relate,
    Union,
)
from vgtoolbox.shapes.render import RenderedScene, render_scene
from vgtoolbox.shapes.scales import SCALES
from vgtoolbox.shapes.scene import Scene, SceneObject, sample_layout

ADJECTIVES = {
    **dict.fromkeys(("big", "large"), ("size", "big")),
    **dict.fromkeys(("small", "little"), ("size", "small")),
    "medium": ("size", "medium"),
    **dict.fromkeys(("dotted", "spotted"), ("texture", "dotted")),
    "striped": ("texture", "striped"),
    "solid": ("texture", "solid"),
    **{w: ("color", w) for w in ("red", "green", "blue", "yellow", "purple", "orange")},
    **{w: ("color", w) for w in ("white", "black", "cyan", "pink")},
}
NOUNS = {
    **dict.fromkeys(("circle", "circles", "disc", "discs"), "circle"),
    **dict.fromkeys(("square", "squares", "box", "boxes"), "square"),
    **dict.fromkeys(("cross", "crosses", "plus", "pluses"), "cross"),
    **{
        form: w
        for w in ("triangle", "star", "diamond", "ring", "heart", "hexagon", "crescent")
        for form in (w, w + "s")
    },
    **dict.fromkeys(("thing", "things", "object", "objects", "shape", "shapes", "ones")),
}
NUMERALS = {"one": 1, "two": 2, "three": 3, "four": 4, "both": 2}
ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4}
EXTREMES = {"highest": "top", "uppermost": "top", "lowest": "bottom"}
EXTENTS = {"biggest": "biggest", "largest": "biggest", "smallest": "smallest"}
RELATIONS = {
    "to the left of": "left of",
    "to the right of": "right of",
    "left of": "left of",
    "right of": "right of",
    "higher than": "above",
    "lower than": "below",
    "above": "above",
    "over": "above",
    "below": "below",
    "under": "below",
}
COMPARISONS = {"bigger than": "bigger", "larger than": "bigger", "smaller than": "smaller"}
SIDE_WORDS = {"left": "left", "right": "right", "top": "top", "bottom": "bottom"}
SIDE_WORDS |= {"upper": "top", "lower": "bottom"}


class EnglishParser:
    """Parse a sentence into a program; raise ValueError on an unexpected word."""

    def __init__(self, sentence: str) -> None:
        self.words = sentence.split()

    def parse(self) -> Program:
        program = self.noun_phrase()
        if self.take("and"):
            program = Union(program, self.noun_phrase())
        if self.words:
            raise ValueError(f"unexpected words: {self.words}")
        return program

    def take(self, phrase: str) -> bool:
        parts = phrase.split()
        if self.words[: len(parts)] != parts:
            return False
        del self.words[: len(parts)]
        return True

    def take_key(self, table: dict):
        for phrase, value in table.items():
            if self.take(phrase):
                return value
        return None

    def noun_phrase(self) -> Program:
        only = self.take("the only")
        for article in ("all the", "all", "exactly", "the", "every", "each"):
            if not only and self.take(article):
                break
        number = self.take_key(NUMERALS)
        select = self.head()
        operand = self.named()
        while (tail := self.tail(operand)) is not None:
            if callable(tail):
                select = tail
            else:
                operand = tail
        if select is not None:
            return select(operand, number or 1)
        if only or number:
            return Count(operand, 1 if only else number)
        return operand

    def head(self) -> Callable | None:
        if self.take("far"):
            side = self.words.pop(0)
            return lambda operand, number: Extreme(operand, side, number)
        if side := self.take_key(EXTREMES):
            return lambda operand, number: Extreme(operand, side, number)
        if extent := self.take_key(EXTENTS):
            return lambda operand, _: Extent(operand, extent)
        if rank := self.take_key(ORDINALS):
            self.rank = rank
        return None

    def named(self) -> Filter:
        if self.take("everything") or self.take("anything"):
            return Filter(**self.adjectives())
        attributes = self.adjectives()
        return Filter(shape=NOUNS[self.words.pop(0)], **attributes)

    def adjectives(self) -> dict[str, str]:
        found = {}
        while self.words and self.words[0] in ADJECTIVES:
            name, value = ADJECTIVES[self.words.pop(0)]
            found[name] = value
            self.take("sized")
        return found

    def anchor(self) -> Program:
        assert self.take("the")
        extent = self.take_key(EXTENTS)
        noun = self.named()
        return Extent(noun, extent) if extent else noun

    def tail(self, operand: Program) -> Program | Callable | None:
        if self.take("from the"):
            side, rank = self.words.pop(0), self.rank
            return lambda operand, _: Ordinal(operand, side, rank)
        if self.take("furthest to the"):
            side = self.words.pop(0)
            return lambda operand, number: Extreme(operand, side, number)
        if self.words[:1] == ["closest"] and "edge" in self.words:
            self.take("closest to the")
            side = self.words.pop(0)
            self.take("edge")
            return lambda operand, number: Extreme(operand, side, number)
        if self.take("closest to") or self.take("nearest to"):
            return Nearest(operand, self.anchor())
        if self.take_key({"on the": 1, "at the": 1, "in the": 1}):
            side = SIDE_WORDS[self.words.pop(0)]
            self.take_key({"side": 1, "half": 1, "part": 1})
            self.take_key({"of the image": 1, "of the picture": 1})
            return Region(operand, side)
        if relation := self.take_key(RELATIONS):
            return Relate(operand, relation, self.anchor())
        if comparison := self.take_key(COMPARISONS):
            return Compare(operand, comparison, self.anchor())
        return self.clause(operand)

    def clause(self, operand: Program) -> Program | None:
        if self.take_key({"except the": 1, "other than the": 1, "but not the": 1}):
            return Except(operand, self.named())
        starts = [f"{who} {verb}" for who in ("that", "which") for verb in ("is", "are")]
        if not self.take_key(dict.fromkeys(starts, 1)):
            return None
        if self.take("not"):
            self.take("a")
            attributes = self.adjectives()
            shape = NOUNS[self.words.pop(0)] if self.words and self.words[0] in NOUNS else None
            return Except(operand, Filter(shape=shape, **attributes))
        first = Relate(operand, self.take_key(RELATIONS), self.anchor())
        assert self.take("and")
        return Relate(first, self.take_key(RELATIONS), self.anchor())


@pytest.fixture(scope="session")
def parse_english() -> Callable[[str], Program]:
    return lambda sentence: EnglishParser(sentence).parse()


def make_object(
    shape: str, color: str, center_xy: tuple[int, int], *, side: int = 20, size: str = "small"
) -> SceneObject:
    x, y = center_xy
    box = (x - side // 2, y - side // 2, side, side)
    area = side * side
    return SceneObject(
        shape=shape,
        color=color,
        size=size,
        texture="solid",
        box_xywh=box,
        visible_area=area,
        full_area=area,
    )


@pytest.fixture
def scene() -> Scene:
    """Four objects on 200 x 200; index: 0 and 2 red circles, 1 big blue square, 3 red square.

    .  0 red circle (30, 30)          1 big blue square (150, 50)
    .  2 red circle (80, 120)         3 red square (160, 170)
    """
    return Scene(
        height=200,
        width=200,
        objects=(
            make_object("circle", "red", (30, 30)),
            make_object("square", "blue", (150, 50), side=40, size="big"),
            make_object("circle", "red", (80, 120)),
            make_object("square", "red", (160, 170)),
        ),
    )


@pytest.fixture(scope="session")
def draw_scene() -> Callable[[str, int], RenderedScene]:
    def draw(scale: str, seed: int) -> RenderedScene:
        rng = np.random.default_rng(seed)
        return render_scene(rng, sample_layout(rng, SCALES[scale]), SCALES[scale])

    return draw
