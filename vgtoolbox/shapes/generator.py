"""Generate one scene from a seed: image, segmentations and evaluated sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vgtoolbox.shapes.annotations import Segmentation, encode_mask
from vgtoolbox.shapes.programs import serialize_program
from vgtoolbox.shapes.render import RenderedScene, render_scene
from vgtoolbox.shapes.sampler import KIND_SHARES, ProgramSampler
from vgtoolbox.shapes.scales import SPLITS, ShapesScale
from vgtoolbox.shapes.scene import Scene, ScenePlacementError, sample_layout
from vgtoolbox.shapes.verbalizer import Verbalizer

MAX_SENTENCES_PER_REF = 3
_RENDER_TRIES = 50


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """Expression as typed (`raw`) and cleaned (`text`), with the program that it expresses."""

    raw: str
    text: str
    family: str
    program: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Ref:
    """Sentences with the same targets (indices of objects; empty for no target), as in RefCOCO."""

    targets: tuple[int, ...]
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True, kw_only=True)
class GeneratedScene:
    """Image (H, W, 3) uint8 RGB of a scene with its annotations."""

    image: np.ndarray
    scene: Scene
    segmentations: tuple[Segmentation, ...]
    refs: tuple[Ref, ...]


def generate_scene(*, seed: int, split: str, index: int, scale: ShapesScale) -> GeneratedScene:
    """Generate scene `index` of `split`. The result depends only on the arguments."""
    rng = np.random.default_rng([seed, SPLITS.index(split), index])
    rendered = _render_visible(rng, scale)
    return GeneratedScene(
        image=rendered.image,
        scene=rendered.scene,
        segmentations=tuple(encode_mask(mask) for mask in rendered.masks),
        refs=tuple(draw_refs(rng, rendered.scene, scale)),
    )


def draw_refs(rng: np.random.Generator, scene: Scene, scale: ShapesScale) -> list[Ref]:
    """Sample distinct sentences and group those that name the same objects."""
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
        text = verbalizer.verbalize(draft.program, draft.number)
        if text in said:
            continue
        said.add(text)
        sentence = Sentence(
            raw=_as_typed(rng, text),
            text=text,
            family=draft.family,
            program=serialize_program(draft.program),
        )
        refs = groups.setdefault(tuple(sorted(draft.targets)), [])
        # No-target sentences have nothing in common, so each is a ref of its own.
        if not refs or not draft.targets or len(refs[-1]) == MAX_SENTENCES_PER_REF:
            refs.append([])
        refs[-1].append(sentence)
    return [
        Ref(targets=targets, sentences=tuple(sentences))
        for targets, refs in groups.items()
        for sentences in refs
    ]


def _render_visible(rng: np.random.Generator, scale: ShapesScale) -> RenderedScene:
    """Render layouts until enough of each object is visible.

    Raises:
        ScenePlacementError: No such layout was found.
    """
    for _ in range(_RENDER_TRIES):
        rendered = render_scene(rng, sample_layout(rng, scale), scale)
        if all(
            item.visible_area >= scale.min_visible * item.full_area
            for item in rendered.scene.objects
        ):
            return rendered
    raise ScenePlacementError(
        f"each of {_RENDER_TRIES} scenes hides more than {1 - scale.min_visible:.0%} of an object; "
        "lower `max_box_overlap`, `num_objects` or `min_visible`"
    )


def _as_typed(rng: np.random.Generator, text: str) -> str:
    """Return `text` as typed by people: sometimes with a capital, sometimes with a period."""
    capital, stop = rng.random(2) < 0.3
    return (text[0].upper() + text[1:] if capital else text) + ("." if stop else "")
