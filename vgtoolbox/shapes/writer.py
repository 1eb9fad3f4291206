"""Write a generated dataset in the official formats of RefCOCO and gRefCOCO."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vgtoolbox.shapes.annotations import Segmentation
from vgtoolbox.shapes.generator import Ref, Sentence
from vgtoolbox.shapes.scene import Scene, serialize_scene

IMAGE_NAME = "COCO_train2014_{image_id:012d}.jpg"
REF_FILE_NAME = "COCO_train2014_{image_id:012d}_{ann_id}.jpg"
NO_TARGET_ID = -1


@dataclass(frozen=True, kw_only=True)
class SceneRecord:
    """Generated scene whose image has been written."""

    image_id: int
    split: str
    scene: Scene
    segmentations: tuple[Segmentation, ...]
    refs: tuple[Ref, ...]


@dataclass
class AnnotationWriter:
    """Annotations of RefCOCO and gRefCOCO, collected scene by scene.

    Args:
        shapes: Category names; category ids begin with 1 in this order.
        images: Images of `instances.json`.
        annotations: Annotations of `instances.json`.
        refs: Refs of RefCOCO, with a single target.
        grefs: Refs of gRefCOCO.
        programs: Programs and families of all sentences.
    """

    shapes: tuple[str, ...]
    images: list[dict[str, Any]] = field(default_factory=list)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    refs: list[dict[str, Any]] = field(default_factory=list)
    grefs: list[dict[str, Any]] = field(default_factory=list)
    programs: list[dict[str, Any]] = field(default_factory=list)

    def add(self, record: SceneRecord) -> None:
        """Append a scene; ids increase in the order of the calls."""
        image_id, scene = record.image_id, record.scene
        self.images.append(
            {
                "id": image_id,
                "file_name": IMAGE_NAME.format(image_id=image_id),
                "height": scene.height,
                "width": scene.width,
            }
        )
        annotations = [
            {
                "id": len(self.annotations) + offset + 1,
                "image_id": image_id,
                "category_id": self.shapes.index(item.shape) + 1,
                "iscrowd": 0,
                "bbox": [float(value) for value in item.box_xywh],
                "area": float(item.visible_area),
                "segmentation": segmentation,
            }
            for offset, (item, segmentation) in enumerate(
                zip(scene.objects, record.segmentations, strict=True)
            )
        ]
        self.annotations += annotations
        first_sent_id = self.grefs[-1]["sent_ids"][-1] + 1 if self.grefs else 0
        for ref in record.refs:
            first_sent_id = self._add_ref(record, ref, annotations, first_sent_id)

    def _add_ref(
        self,
        record: SceneRecord,
        ref: Ref,
        annotations: list[dict[str, Any]],
        first_sent_id: int,
    ) -> int:
        """Append a ref to gRefCOCO, and to RefCOCO if it fits; return the next free sentence id."""
        sentences = [
            _sentence_record(sentence, first_sent_id + offset)
            for offset, sentence in enumerate(ref.sentences)
        ]
        targets = [annotations[index] for index in ref.targets]
        common = {
            "sent_ids": [sentence["sent_id"] for sentence in sentences],
            "image_id": record.image_id,
            "split": record.split,
            "sentences": sentences,
        }
        self.grefs.append(
            {
                **common,
                "ref_id": len(self.grefs) + 1,
                "file_name": IMAGE_NAME.format(image_id=record.image_id),
                "ann_id": [item["id"] for item in targets] or [NO_TARGET_ID],
                "category_id": [item["category_id"] for item in targets] or [NO_TARGET_ID],
                "no_target": not targets,
            }
        )
        if len(targets) == 1:
            ann_id = targets[0]["id"]
            self.refs.append(
                {
                    **common,
                    "ref_id": len(self.refs) + 1,
                    "file_name": REF_FILE_NAME.format(image_id=record.image_id, ann_id=ann_id),
                    "ann_id": ann_id,
                    "category_id": targets[0]["category_id"],
                }
            )
        for sentence, spoken in zip(sentences, ref.sentences, strict=True):
            self.programs.append(
                {
                    "sent_id": sentence["sent_id"],
                    "image_id": record.image_id,
                    "family": spoken.family,
                    "program": spoken.program,
                }
            )
        return first_sent_id + len(sentences)

    def write(self, folder: Path) -> None:
        """Write `refcoco/`, `grefcoco/` and `programs.jsonl` to `folder`."""
        instances = {
            "info": {"description": "vgtoolbox shapes"},
            "images": self.images,
            "annotations": self.annotations,
            "categories": [
                {"id": index + 1, "name": name, "supercategory": "shape"}
                for index, name in enumerate(self.shapes)
            ],
        }
        for name in ("refcoco", "grefcoco"):
            (folder / name).mkdir(parents=True)
            write_json(folder / name / "instances.json", instances)
        write_pickle(folder / "refcoco" / "refs(unc).p", self.refs)
        write_json(folder / "grefcoco" / "grefs(unc).json", self.grefs)
        write_lines(folder / "programs.jsonl", self.programs)


def write_scenes(path: Path, records: Iterable[SceneRecord]) -> Iterator[SceneRecord]:
    """Yield `records` unchanged and write each scene as a line of JSON."""
    with path.open("w", encoding="utf-8") as file:
        for record in records:
            file.write(
                json.dumps({"image_id": record.image_id, **serialize_scene(record.scene)}) + "\n"
            )
            yield record


def write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write one JSON object per line."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def _sentence_record(sentence: Sentence, sent_id: int) -> dict[str, Any]:
    return {
        "tokens": sentence.text.split(),
        "raw": sentence.raw,
        "sent_id": sent_id,
        "sent": sentence.text,
    }


def write_json(path: Path, value: object) -> None:
    """Write a JSON file."""
    path.write_text(json.dumps(value), encoding="utf-8")


def write_pickle(path: Path, value: object) -> None:
    """Write lists, dicts, strings and numbers as a pickle whose bytes depend only on the values."""
    # A pickle shares equal strings only if they are the same object, which depends on the number of
    # processes; a round trip through JSON removes this dependence.
    # Protocol 2, as in the official files.
    path.write_bytes(pickle.dumps(json.loads(json.dumps(value)), protocol=2))
