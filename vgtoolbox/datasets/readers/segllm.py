"""SegLLM's conversations: rounds of questions that may refer to what earlier rounds segmented."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from vgtoolbox.datasets.annotations.annotation_files import (
    AnnotationError,
    Entry,
    FieldError,
    describe,
    expect,
    expect_items,
    expect_value,
    read_annotations_file,
)
from vgtoolbox.datasets.annotations.mask_sources import MaskSource, open_mask_source
from vgtoolbox.datasets.base import GroundingDataset, Pipeline
from vgtoolbox.datasets.records import Record, image_id_of
from vgtoolbox.registry import DATASETS

_MARKER = re.compile(r"\[(IMAGE256|MASK-ENCODE|BOX-ENCODE|MASK-DECODE):([^\[\]]*)\]")
_FALLBACKS = {"val2014": "train2014", "val2017": "train2017"}


class Mask(NamedTuple):
    """What a marker names: a mask of one of the sources."""

    source: str
    mask_id: int | str


@DATASETS.register_module()
@dataclass(kw_only=True, eq=False, repr=False)
class SegLLMConversationDataset(GroundingDataset):
    """MR-RefCOCO, MR-PACO and the like (Wang et al., SegLLM, ICLR 2025). A record: a conversation.

    `expressions` are the questions, one a round, without their markers, and `expression_targets`
    what each asks for. Three more lists have an entry a round: `references`, positions in `targets`
    of what the question shows the model; `reference_rounds`, for each of these the round, from 0,
    that segmented it, or None where none has (`*_hard_train`); `relations`, as "relational".

    Args:
        ann_file: The file of conversations in `ann_root`; all of it is the split.
        masks: What the markers call a data set -> the file of its masks, relative to `data_root`:
            COCO's `instances.json`, or a JSON object id -> RLE.
        max_rounds: Leave out later rounds; the published training reads 6.
    """

    group_by: Any = "ref"
    masks: Mapping[str, str] = field(default_factory=dict)
    max_rounds: int | None = None

    def __post_init__(self, pipeline: Pipeline, lazy_init: bool) -> None:
        if self.group_by != "ref":
            raise ValueError(
                f"group_by must be 'ref', one sample a conversation, got {self.group_by!r}: a "
                "round is not understood without those before it"
            )
        super().__post_init__(pipeline, lazy_init)

    def read_entries(self) -> Iterator[Entry]:
        """Yield the conversations with their position."""
        path = self.find_file(f"{self.split}.json")
        conversations = read_annotations_file(path)
        if not isinstance(conversations, list):
            raise AnnotationError(
                f"{path} should hold a list of conversations, not {describe(conversations)}"
            )
        self._sources: dict[str, MaskSource] = {}
        for position, conversation in enumerate(conversations):
            yield Entry(path, f"conversation {position}", (position, conversation))
        del self._sources

    def parse_data_info(self, raw_data_info: tuple[int, Any]) -> Record:
        """Make the record of a conversation."""
        position, conversation = raw_data_info
        turns = expect_items(conversation, "conversations", dict)[
            : self.max_rounds and 2 * self.max_rounds
        ]
        if not turns or len(turns) % 2:
            raise FieldError(f"the key 'conversations' should hold pairs, found {len(turns)} turns")
        image = _image_of(_text_of(turns[0], "human"))
        rounds = _Rounds()
        for question, answer in zip(turns[::2], turns[1::2], strict=True):
            rounds.add(question, answer)
        targets = [self._source(mask.source).target(mask.mask_id) for mask in rounds.masks]
        first = rounds.masks[rounds.named[0][0]]
        name = str(conversation.get("conv_id", position))
        return {
            "img_path": self._existing(self.image_path(image)),
            "image_id": image_id_of(image),
            "sample_id": name,
            "split": self.split,
            "expressions": rounds.questions,
            "expression_ids": [f"{name}_{number}" for number in range(len(rounds.questions))],
            **self._source(first.source).size(first.mask_id),
            "targets": targets,
            "expression_targets": rounds.named,
            "references": rounds.references,
            "reference_rounds": rounds.reference_rounds,
            "relations": rounds.relations,
        }

    def _source(self, name: str) -> MaskSource:
        if name not in self._sources:
            if name not in self.masks:
                known = ", ".join(self.masks) or "none"
                raise FieldError(f"masks of {name!r} are named; files are given for: {known}")
            self._sources[name] = open_mask_source(Path(self.data_root, self.masks[name]))
        return self._sources[name]

    @staticmethod
    def _existing(path: str) -> str:
        """Return where an image stands that was moved from val to train."""
        for old, new in _FALLBACKS.items():
            moved = path.replace(old, new)
            if moved != path and not Path(path).is_file() and Path(moved).is_file():
                return moved
        return path


class _Rounds:
    """The rounds of a conversation so far; masks are known by where they first came up."""

    def __init__(self) -> None:
        self.masks: list[Mask] = []
        self.questions: list[str] = []
        self.named: list[list[int]] = []
        self.references: list[list[int]] = []
        self.reference_rounds: list[list[int | None]] = []
        self.relations: list[str] = []

    def add(self, question: dict[str, Any], answer: dict[str, Any]) -> None:
        """Read a round.

        Raises:
            FieldError: It is no round, or it refers to one that is not before it.
        """
        number = len(self.questions)
        asked, answered = _text_of(question, "human"), _text_of(answer, "gpt")
        _check_earlier(question.get("ind", -1), number)
        shown = [_shown_mask(v) for kind, v in _MARKER.findall(asked) if kind == "MASK-ENCODE"]
        found = [_found_mask(v) for kind, v in _MARKER.findall(answered) if kind == "MASK-DECODE"]
        if not found:
            raise FieldError(f"the answer of round {number + 1} has no marker MASK-DECODE")
        self.references.append([self._place(mask) for mask in shown])
        self.reference_rounds.append([self._round_of(place) for place in self.references[-1]])
        self.questions.append(" ".join(_MARKER.sub(" ", asked).split()))
        self.named.append([self._place(mask) for mask, _ in found])
        self.relations.append(found[0][1])

    def _place(self, mask: Mask) -> int:
        if mask not in self.masks:
            self.masks.append(mask)
        return self.masks.index(mask)

    def _round_of(self, place: int) -> int | None:
        """Return the last round before this one that asked for a mask."""
        rounds = [number for number, named in enumerate(self.named) if place in named]
        return rounds[-1] if rounds else None


def _text_of(turn: dict[str, Any], speaker: str) -> str:
    if expect(turn, "from", str) != speaker:
        raise FieldError(f"the key 'from' should hold {speaker!r}, found {turn['from']!r:.60}")
    return expect(turn, "value", str)


def _check_earlier(rounds: Any, number: int) -> None:
    """Raise where `ind`, rounds from 1, names this round or a later one; -1 is none."""
    expect_value(rounds, "the key 'ind'", int | list)
    for earlier in rounds if isinstance(rounds, list) else [rounds]:
        if expect_value(earlier, "the key 'ind'", int) not in (-1, *range(1, number + 1)):
            raise FieldError(
                f"the key 'ind' of round {number + 1} refers to round {earlier}, which is not "
                "before it"
            )


def _image_of(text: str) -> str:
    images = [value for kind, value in _MARKER.findall(text) if kind == "IMAGE256"]
    if len(images) != 1:
        raise FieldError(f"the first question should have one marker IMAGE256, has {len(images)}")
    return images[0]


def _shown_mask(marker: str) -> Mask:
    """Read `image|source|id`."""
    return _mask(marker.split("|")[1:], marker)


def _found_mask(marker: str) -> tuple[Mask, str]:
    """Read `image|source|id`, or `relation:reference[:reference]:id:image:source`."""
    if "|" in marker:
        return _shown_mask(marker), "none"
    if marker.count(":") not in (4, 5):
        return _mask([], marker), ""
    relation, *_, mask_id, _, source = marker.split(":")
    return _mask([source, mask_id], marker), relation


def _mask(fields: list[str], marker: str) -> Mask:
    if len(fields) != 2 or not all(fields):
        raise FieldError(f"the marker {marker!r:.80} names no mask; expected image|dataset|id")
    source, mask_id = fields
    return Mask(source, int(mask_id) if mask_id.isdecimal() else mask_id)
