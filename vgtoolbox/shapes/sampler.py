"""Sample programs about a scene, with one, several or no targets.

A no-target expression is a true expression with one or two words swapped. It therefore has the
template, the grammatical number and the length of a true one, with a similar distribution of words:
the text alone does not reveal whether a target exists.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Any

import numpy as np

from vgtoolbox.shapes.attributes import (
    ATTRIBUTE_NAMES,
    COMPARISONS,
    EXTENTS,
    RELATIONS,
    SIDES,
)
from vgtoolbox.shapes.evaluator import AmbiguousExpressionError, evaluate
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
    leaf_values,
    parse_program,
    replace_leaf,
    serialize_program,
)
from vgtoolbox.shapes.scales import ShapesScale
from vgtoolbox.shapes.scene import Scene, SceneObject

KIND_SHARES = {"single": 0.475, "multi": 0.325, "none": 0.2}
_FAMILY_TRIES = 4
_DRAFT_TRIES = 40
_SWAP_TRIES = 40
_MEMBER_SHARES = {"shape": 0.78, "color": 0.62, "size": 0.3, "texture": 0.3}
_VACUOUS_SHARE = 0.25


class GrammaticalNumber(str, Enum):
    """Grammatical number of a phrase: "the dot" (at most one), "the dots", "every dot" (any)."""

    SINGULAR = "singular"
    PLURAL = "plural"
    UNIVERSAL = "universal"


@dataclass(frozen=True, kw_only=True)
class Draft:
    """Program with its targets, before verbalization.

    Args:
        program: Program to verbalize.
        targets: Indices of the objects that it names.
        family: Expression family, a key of `ShapesScale.families`.
        number: Grammatical number of the phrase.
    """

    program: Program
    targets: frozenset[int]
    family: str
    number: GrammaticalNumber


class ProgramSampler:
    """Sampler of drafts about one scene.

    Args:
        scene: Scene that the drafts describe.
        scale: Vocabulary, family weights and nesting.
        rng: Random generator; the only source of randomness.
    """

    def __init__(self, scene: Scene, scale: ShapesScale, rng: np.random.Generator) -> None:
        self.scene = scene
        self.scale = scale
        self.rng = rng
        self._builders: dict[str, Callable[[], Program]] = {
            "attribute": self._describe_any,
            "region": self._region,
            "extreme": self._extreme,
            "extent": self._extent,
            "ordinal": self._ordinal,
            "relation": self._relation,
            "nearest": self._nearest,
            "comparative": self._comparative,
            "count": self._count,
            "negation": self._negation,
            "union": self._union,
        }

    def draw(self, kind: str) -> Draft | None:
        """Sample a draft with one ("single"), several ("multi") or no ("none") targets.

        Args:
            kind: A key of `KIND_SHARES`.

        Returns:
            The draft, or `None` if no attempt succeeds.
        """
        shares = KIND_SHARES["single"], KIND_SHARES["multi"]
        single = self._chance(shares[0] / sum(shares)) if kind == "none" else kind == "single"
        names = [
            name for name in self.scale.families if name not in _excluded_families(single=single)
        ]
        weights = np.array([self.scale.families[name] for name in names])
        for _ in range(_FAMILY_TRIES):
            family = names[self.rng.choice(len(names), p=weights / weights.sum())]
            for _ in range(_DRAFT_TRIES):
                draft = self._try_family(family, single=single)
                if draft is not None and kind == "none":
                    draft = self._swap_words(draft)
                if draft is not None:
                    return draft
        return None

    def _try_family(self, family: str, *, single: bool) -> Draft | None:
        try:
            program = self._builders[family]()
            targets = evaluate_serialized(program, self.scene)
            vacuous = self._is_vacuous(program, targets)
        except (AmbiguousExpressionError, _NoPhraseError):
            return None
        if not targets or (len(targets) == 1) != single or not is_consistent(program):
            return None
        if vacuous and not self._chance(_VACUOUS_SHARE):
            return None
        number = self._grammatical_number(program, targets)
        return Draft(program=program, targets=targets, family=family, number=number)

    def _is_vacuous(self, program: Program, targets: frozenset[int]) -> bool:
        """Return whether the outermost modifier could be omitted."""
        if isinstance(program, Filter | Union | Count):
            return False
        return evaluate(program.operand, self.scene) == targets

    def _grammatical_number(self, program: Program, targets: frozenset[int]) -> GrammaticalNumber:
        if isinstance(program, Union):
            sizes = [len(evaluate(half, self.scene)) for half in (program.first, program.second)]
            if max(sizes) == 1:
                return GrammaticalNumber.SINGULAR
            return GrammaticalNumber.PLURAL if min(sizes) > 1 else GrammaticalNumber.UNIVERSAL
        selects = isinstance(program, Extreme | Ordinal | Extent | Nearest | Count)
        if len(targets) == 1:
            universal = not selects and self._chance(0.15)
            return GrammaticalNumber.UNIVERSAL if universal else GrammaticalNumber.SINGULAR
        return (
            GrammaticalNumber.UNIVERSAL
            if not selects and self._chance(0.4)
            else GrammaticalNumber.PLURAL
        )

    def _swap_words(self, draft: Draft) -> Draft | None:
        """Return `draft` with one or two words swapped so that it has no target."""
        leaves = list(leaf_values(draft.program))
        for _ in range(_SWAP_TRIES):
            program = draft.program
            most = 2 if isinstance(program, Union) or self._chance(0.25) else 1
            for index in self.rng.choice(len(leaves), size=min(most, len(leaves)), replace=False):
                path, value = leaves[index]
                choices = [v for v in self._alternatives(path[-1], value) if v != value]
                if choices:
                    program = replace_leaf(program, path, self._pick(choices))
            if program != draft.program and is_consistent(program) and self._names_nothing(program):
                return Draft(
                    program=program, targets=frozenset(), family=draft.family, number=draft.number
                )
        return None

    def _names_nothing(self, program: Program) -> bool:
        try:
            return not evaluate_serialized(program, self.scene)
        except AmbiguousExpressionError:
            return False

    def _alternatives(self, leaf: str, value: Any) -> Sequence[Any]:
        if leaf in ATTRIBUTE_NAMES:
            return self.scale.values(leaf)
        if leaf == "number" and value == 1:
            return (1,)  # "the only" and "the furthest" remain singular
        return {
            "side": SIDES,
            "relation": RELATIONS,
            "comparison": COMPARISONS,
            "extent": EXTENTS,
            "rank": (1, 2, 3),
            "number": (2, 3),
        }[leaf]

    def _region(self) -> Program:
        operand = Filter() if self._chance(0.15) else self._describe_any()
        return Region(operand, self._pick(SIDES))

    def _extreme(self) -> Program:
        number = 1 if self._chance(0.75) else int(self._pick((2, 2, 3)))
        return Extreme(self._restricted(), self._pick(SIDES), number)

    def _extent(self) -> Program:
        # "The biggest small dot" can be true, but nobody says so.
        operand = replace(self._describe_any(), size=None)
        return Extent(self._narrowed(operand), self._pick(EXTENTS))

    def _ordinal(self) -> Program:
        operand = Filter() if self._chance(0.3) else self._restricted()
        return Ordinal(operand, self._pick(SIDES), int(self._pick((1, 2, 2, 3))))

    def _relation(self) -> Program:
        operand: Program = Filter() if self._chance(0.1) else self._describe_any()
        if self._chance(self.scale.nesting / 2):
            operand = Region(operand, self._pick(SIDES))
        relation = self._pick(RELATIONS)
        first = Relate(operand, relation, self._anchor())
        if self._chance(self.scale.nesting / 2):
            crossing = RELATIONS[2:] if relation in RELATIONS[:2] else RELATIONS[:2]
            return Relate(first, self._pick(crossing), self._anchor())
        return first

    def _nearest(self) -> Program:
        return Nearest(self._describe_any(), self._anchor())

    def _comparative(self) -> Program:
        operand = Filter() if self._chance(0.2) else self._describe_any()
        return Compare(operand, self._pick(COMPARISONS), self._anchor())

    def _count(self) -> Program:
        operand = self._restricted()
        return Count(operand, min(max(len(evaluate(operand, self.scene)), 1), 4))

    def _negation(self) -> Program:
        operand = self._describe_any()
        free = [name for name in self._attributes_in_use() if getattr(operand, name) is None]
        members = sorted(evaluate(operand, self.scene))
        if not free or not members:
            raise _NoPhraseError
        name = self._pick(free)
        item = self.scene.objects[self._pick(members)]
        return Except(operand, Filter(**{name: getattr(item, name)}))

    def _union(self) -> Program:
        return Union(self._describe_any(), self._describe_any())

    def _restricted(self) -> Program:
        """Return a described group, sometimes narrowed by its position in the image."""
        return self._narrowed(self._describe_any())

    def _narrowed(self, operand: Program) -> Program:
        if self._chance(self.scale.nesting / 2):
            return Region(operand, self._pick(SIDES))
        if self._chance(self.scale.nesting / 3):
            return Relate(operand, self._pick(RELATIONS), self._anchor())
        return operand

    def _anchor(self) -> Program:
        """Return a phrase that names exactly one object."""
        for _ in range(8):
            described = self._describe_any()
            phrase: Program = described
            if self._chance(self.scale.nesting / 3):
                phrase = Extent(replace(described, size=None), self._pick(EXTENTS))
            if len(evaluate(phrase, self.scene)) == 1:
                return phrase
        raise _NoPhraseError

    def _describe_any(self) -> Filter:
        """Return a filter by a random subset of the attributes of a random object."""
        item: SceneObject = self._pick(self.scene.objects)
        names = [n for n in self._attributes_in_use() if self._chance(_MEMBER_SHARES[n])]
        if not {"shape", "color"} & set(names):
            names.append(self._pick(("shape", "color")))
        return Filter(**{name: getattr(item, name) for name in names})

    def _attributes_in_use(self) -> list[str]:
        return [name for name in ATTRIBUTE_NAMES if len(self.scale.values(name)) > 1]

    def _chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def _pick(self, options: Sequence[Any]) -> Any:
        return options[int(self.rng.integers(len(options)))]


class _NoPhraseError(Exception):
    """The scene allows no phrase of the family."""


def evaluate_serialized(program: Program, scene: Scene) -> frozenset[int]:
    """Evaluate `program` after a round trip through its serialized form."""
    return evaluate(parse_program(serialize_program(program)), scene)


def is_consistent(program: Program) -> bool:
    """Return whether no phrase is compared or joined with a phrase that includes it.

    "The red dot left of the dot" can never be true, so such a sentence would reveal by its words
    alone that it has no target.
    """
    pairs = []
    if isinstance(program, Relate | Compare | Nearest):
        pairs = [(program.anchor, program.operand)]
    elif isinstance(program, Except):
        pairs = [(program.excluded, program.operand)]
    elif isinstance(program, Union):
        pairs = [(program.first, program.second), (program.second, program.first)]
    if any(_contains(wide, _core(narrow)) for wide, narrow in pairs):
        return False
    children: list[Any] = [getattr(program, field.name) for field in fields(program)]
    return all(is_consistent(child) for child in children if isinstance(child, Program))


def _core(program: Program) -> Filter:
    while not isinstance(program, Filter):
        program = program.first if isinstance(program, Union) else program.operand
    return program


def _contains(wide: Program, narrow: Filter) -> bool:
    if not isinstance(wide, Filter):
        return False
    said = {name: getattr(wide, name) for name in ATTRIBUTE_NAMES if getattr(wide, name)}
    return all(getattr(narrow, name) == value for name, value in said.items())


def _excluded_families(*, single: bool) -> tuple[str, ...]:
    """Return the families that never name a single object (`single`), or never several."""
    return ("union",) if single else ("ordinal", "extent", "nearest")
