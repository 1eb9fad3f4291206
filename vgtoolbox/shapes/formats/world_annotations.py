"""Annotations of a generated dataset, from which all other formats are written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from vgtoolbox.shapes.formats.corner_cases import Json, vary_annotation
from vgtoolbox.shapes.world import STATISTICS_FILE


@dataclass(frozen=True)
class WorldAnnotations:
    """Images, annotations and refs of a generated dataset, as in its gRefCOCO files.

    Args:
        root: Folder of the dataset.
        seed: Random seed of the dataset.
        images: Images of `instances.json` by id.
        annotations: Annotations of `instances.json` by id.
        categories: Categories of `instances.json`.
        grefs: Refs with any number of targets, in the order of the file.
    """

    root: Path
    seed: int
    images: Mapping[int, Json]
    annotations: Mapping[int, Json]
    categories: list[Json]
    grefs: list[Json]

    @classmethod
    def read(cls, root: Path) -> WorldAnnotations:
        """Read the generated dataset at `root`.

        Raises:
            FileNotFoundError: There is no generated dataset at `root`.
        """
        if not (root / STATISTICS_FILE).is_file():
            raise FileNotFoundError(
                f"{root} does not contain a generated dataset; generate one with: "
                f"python tools/prepare_data.py shapes --out {root}"
            )
        statistics = _read(root / STATISTICS_FILE)
        instances = _read(root / "grefcoco" / "instances.json")
        return cls(
            root=root,
            seed=statistics["world"]["seed"],
            images={image["id"]: image for image in instances["images"]},
            annotations={item["id"]: item for item in instances["annotations"]},
            categories=instances["categories"],
            grefs=_read(root / "grefcoco" / "grefs(unc).json"),
        )

    @property
    def image_folder(self) -> Path:
        """Folder of the images."""
        return self.root / "images"

    @cached_property
    def negatives(self) -> dict[int, list[Json]]:
        """Sentences without a target, by image id."""
        found: dict[int, list[Json]] = {}
        for ref in self.grefs:
            if ref["no_target"]:
                found.setdefault(ref["image_id"], []).extend(ref["sentences"])
        return found

    @cached_property
    def varied_annotations(self) -> dict[int, Json]:
        """Annotations by id, with masks in all the forms that COCO allows."""
        return {
            ann_id: vary_annotation(item, self.size(item["image_id"]))
            for ann_id, item in self.annotations.items()
        }

    def varied_instances(self) -> Json:
        """Return the content of `instances.json` with `varied_annotations`."""
        return {
            "info": {"description": "vgtoolbox shapes"},
            "images": list(self.images.values()),
            "annotations": list(self.varied_annotations.values()),
            "categories": self.categories,
        }

    @cached_property
    def annotations_of(self) -> dict[int, list[Json]]:
        """Annotations by image id."""
        found: dict[int, list[Json]] = {image_id: [] for image_id in self.images}
        for item in self.annotations.values():
            found[item["image_id"]].append(item)
        return found

    def targets(self, ref: Json) -> list[Json]:
        """Return the target annotations of a ref; none for a no-target ref."""
        return [] if ref["no_target"] else [self.annotations[i] for i in ref["ann_id"]]

    def single_refs(self, split: str | None = None) -> Iterator[Json]:
        """Yield the refs with exactly one target, of one split or (`None`) of all."""
        for ref in self.refs_of(split):
            if not ref["no_target"] and len(ref["ann_id"]) == 1:
                yield ref

    def refs_of(self, split: str | None) -> Iterable[Json]:
        """Return the refs of one split or (`None`) of all."""
        return (ref for ref in self.grefs if split is None or ref["split"] == split)

    def category_name(self, annotation: Json) -> str:
        """Return the shape word of an annotation."""
        names = {category["id"]: category["name"] for category in self.categories}
        return names[annotation["category_id"]]

    def size(self, image_id: int) -> tuple[int, int]:
        """Return (H, W) of an image."""
        image = self.images[image_id]
        return image["height"], image["width"]


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
