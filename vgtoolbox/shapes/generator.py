"""One scene of the generated world, from a seed: pixels, masks and checked sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vgtoolbox.shapes.annotations import Segmentation, encode_mask
from vgtoolbox.shapes.programs import serialise_program
from vgtoolbox.shapes.render import RenderedScene, render_scene
from vgtoolbox.shapes.sampler import KIND_SHARES, ProgramSampler
from vgtoolbox.shapes.scales import SPLITS, ShapesScale
from vgtoolbox.shapes.scene import Scene, ScenePlacementError, sample_layout
from vgtoolbox.shapes.verbalizer import Verbalizer

MAX_SENTENCES_PER_REF = 3
_RENDER_TRIES = 50


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """An expression as spoken (`raw`) and cleaned (`text`), with the program that it says."""

    raw: str
    text: str
    family: str
    program: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Sentences that name the same objects (indices into the scene); no-target has none."""

    targets: tuple[int, ...]
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True, kw_only=True)
class GeneratedScene:
    """All that one image contributes; `image` (H, W, 3) uint8 RGB."""

    image: np.ndarray
    scene: Scene
    segmentations: tuple[Segmentation, ...]
    references: tuple[Reference, ...]


def generate_scene(*, seed: int, split: str, index: int, scale: ShapesScale) -> GeneratedScene:
    """Generate scene `index` of `split`; the arguments alone decide the result."""
    rng = np.random.default_rng([seed, SPLITS.index(split), index])
    rendered = _render_visible(rng, scale)
    return GeneratedScene(
        image=rendered.image,
        scene=rendered.scene,
        segmentations=tuple(encode_mask(mask) for mask in rendered.masks),
        references=tuple(draw_references(rng, rendered.scene, scale)),
    )


def draw_references(rng: np.random.Generator, scene: Scene, scale: ShapesScale) -> list[Reference]:
    """Draw distinct sentences and group those that name the same objects."""
    sampler = ProgramSampler(scene, scale, rng)
    verbalizer = Verbalizer(rng, synonyms=scale.synonyms)
    kinds = rng.choice(
        list(KIND_SHARES), size=scale.expressions_per_scene, p=list(KIND_SHARES.values())
    )
    groups: dict[tuple[int, ...], list[list[Sentence]]] = {}
    said: set[str] = set()
    for kind in kinds:
        draft = sampler.draw(str(kind))
        if draft is None:
            continue
        text = verbalizer.say(draft.program, draft.number)
        if text in said:
            continue
        said.add(text)
        sentence = Sentence(
            raw=_as_spoken(rng, text),
            text=text,
            family=draft.family,
            program=serialise_program(draft.program),
        )
        refs = groups.setdefault(tuple(sorted(draft.targets)), [])
        # Two no-target sentences ask for different things: each is a ref of its own.
        if not refs or not draft.targets or len(refs[-1]) == MAX_SENTENCES_PER_REF:
            refs.append([])
        refs[-1].append(sentence)
    return [
        Reference(targets=targets, sentences=tuple(sentences))
        for targets, refs in groups.items()
        for sentences in refs
    ]


def _render_visible(rng: np.random.Generator, scale: ShapesScale) -> RenderedScene:
    """Draw scenes until each object shows enough of itself."""
    for _ in range(_RENDER_TRIES):
        rendered = render_scene(rng, sample_layout(rng, scale), scale)
        if all(
            item.visible_area >= scale.min_visible * item.full_area
            for item in rendered.scene.objects
        ):
            return rendered
    raise ScenePlacementError(
        f"{_RENDER_TRIES} scenes in a row hide more than {1 - scale.min_visible:.0%} of an object; "
        "lower `max_box_overlap`, `num_objects` or `min_visible`"
    )


def _as_spoken(rng: np.random.Generator, text: str) -> str:
    """Return `text` as people type it: at times with a capital, at times with a full stop."""
    capital, stop = rng.random(2) < 0.3
    return (text[0].upper() + text[1:] if capital else text) + ("." if stop else "")
