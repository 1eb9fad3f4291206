"""Read SegLLM's conversations: rounds whose questions may refer to masks of earlier rounds."""

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
from vgtoolbox.utils.choices import OptionError

_MARKER = re.compile(r"\[(IMAGE256|MASK-ENCODE|BOX-ENCODE|MASK-DECODE):([^\[\]]*)\]")
_FALLBACKS = {"val2014": "train2014", "val2017": "train2017"}


class Mask(NamedTuple):
    """Mask named by a marker.

    Attributes:
        source: Name of the dataset that contains the mask.
        mask_id: Id of the mask in that dataset.
    """

    source: str
    mask_id: int | str


@DATASETS.register_module()
@dataclass(kw_only=True, eq=False, repr=False)
class SegLLMConversationDataset(GroundingDataset):
    """Conversations of MR-RefCOCO, MR-PACO and similar benchmarks (Wang et al., SegLLM, ICLR 2025).

    A record is a conversation. `expressions` has one question per round, without markers, and
    `expression_targets` its targets. Three more lists have one entry per round: `references`, the
    positions in `targets` that the question shows to the model; `reference_rounds`, for each
    reference the round, from 0, that segmented it, or `None` if none did (`*_hard_train`); and
    `relations`, as "relational".

    Args:
        ann_file: Name of the file of conversations in `ann_root`. If empty, `<split>.json`.
        masks: Mapping from the names of datasets in markers to the files of their masks, relative
            to `data_root`: COCO's `instances.json`, or a JSON object id -> RLE.
        max_rounds: Maximum number of rounds; later ones are dropped. The published training uses 6.
            If `None`, all rounds are read.

    The other arguments are those of `GroundingDataset`, except that `group_by` must be "ref".
    """

    group_by: Any = "ref"
    masks: Mapping[str, str] = field(default_factory=dict)
    max_rounds: int | None = None

    def __post_init__(self, pipeline: Pipeline, lazy_init: bool) -> None:
        if self.group_by != "ref":
            raise OptionError(
                f"group_by must be 'ref', one sample per conversation, got {self.group_by!r}: a "
                "round depends on the earlier ones"
            )
        super().__post_init__(pipeline, lazy_init)

    def read_entries(self) -> Iterator[Entry]:
        """Yield the conversations with their positions."""
        path = self.find_file(f"{self.split}.json")
        conversations = read_annotations_file(path)
        if not isinstance(conversations, list):
            raise AnnotationError(
                f"{path} must be a list of conversations, got {describe(conversations)}"
            )
        self._sources: dict[str, MaskSource] = {}
        for position, conversation in enumerate(conversations):
            yield Entry(path, f"conversation {position}", (position, conversation))
        del self._sources

    def parse_data_info(self, raw_data_info: tuple[int, Any]) -> Record:
        """Return the record of a conversation."""
        position, conversation = raw_data_info
        turns = expect_items(conversation, "conversations", dict)[
            : self.max_rounds and 2 * self.max_rounds
        ]
        if not turns or len(turns) % 2:
            raise FieldError(
                f"the key 'conversations' must be pairs of turns, got {len(turns)} turns"
            )
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
                raise FieldError(
                    f"the source of a mask must be a key of masks ({known}), got {name!r}"
                )
            self._sources[name] = open_mask_source(Path(self.data_root, self.masks[name]))
        return self._sources[name]

    @staticmethod
    def _existing(path: str) -> str:
        """Return the path of an image, which may have been moved from val to train."""
        for old, new in _FALLBACKS.items():
            moved = path.replace(old, new)
            if moved != path and not Path(path).is_file() and Path(moved).is_file():
                return moved
        return path


class _Rounds:
    """Rounds of a conversation so far; masks are numbered by first appearance."""

    def __init__(self) -> None:
        self.masks: list[Mask] = []
        self.questions: list[str] = []
        self.named: list[list[int]] = []
        self.references: list[list[int]] = []
        self.reference_rounds: list[list[int | None]] = []
        self.relations: list[str] = []

    def add(self, question: dict[str, Any], answer: dict[str, Any]) -> None:
        """Read a round.

        Args:
            question: Turn of the human.
            answer: Turn of the model.

        Raises:
            FieldError: The round violates the format, or refers to a round that is not before it.
        """
        number = len(self.questions)
        asked, answered = _text_of(question, "human"), _text_of(answer, "gpt")
        _check_earlier(question.get("ind", -1), number)
        shown = [_shown_mask(v) for kind, v in _MARKER.findall(asked) if kind == "MASK-ENCODE"]
        found = [_found_mask(v) for kind, v in _MARKER.findall(answered) if kind == "MASK-DECODE"]
        if not found:
            raise FieldError(
                f"the answer of round {number + 1} must have a marker MASK-DECODE, got none"
            )
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
        """Return the last earlier round that asked for a mask, or `None`."""
        rounds = [number for number, named in enumerate(self.named) if place in named]
        return rounds[-1] if rounds else None


def _text_of(turn: dict[str, Any], speaker: str) -> str:
    if expect(turn, "from", str) != speaker:
        raise FieldError(f"the key 'from' must be {speaker!r}, got {turn['from']!r:.60}")
    return expect(turn, "value", str)


def _check_earlier(rounds: Any, number: int) -> None:
    """Raise if `ind`, rounds from 1, contains this round or a later one; -1 means no round."""
    expect_value(rounds, "the key 'ind'", int | list)
    for earlier in rounds if isinstance(rounds, list) else [rounds]:
        if expect_value(earlier, "the key 'ind'", int) not in (-1, *range(1, number + 1)):
            raise FieldError(
                f"the key 'ind' of round {number + 1} must refer to an earlier round, got round "
                f"{earlier}"
            )


def _image_of(text: str) -> str:
    images = [value for kind, value in _MARKER.findall(text) if kind == "IMAGE256"]
    if len(images) != 1:
        raise FieldError(f"the first question must have one marker IMAGE256, got {len(images)}")
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
        raise FieldError(f"a marker of a mask must be image|dataset|id, got {marker!r:.80}")
    source, mask_id = fields
    return Mask(source, int(mask_id) if mask_id.isdecimal() else mask_id)
