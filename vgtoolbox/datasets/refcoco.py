"""RefCOCO, RefCOCO+ and RefCOCOg as published: `refs(<split_by>).p` beside `instances.json`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from vgtoolbox.datasets.base import GroundingDataset, Per, Pipeline
from vgtoolbox.registry import DATASETS
from vgtoolbox.restricted_pickle import load_restricted_pickle

Ref = dict[str, Any]


@DATASETS.register_module()
class RefCOCODataset(GroundingDataset):
    """Expressions that name one target each.

    A ref's own `file_name` (`COCO_train2014_000000581857_16.jpg`) is not that of an image: it ends
    with the annotation's number. Images are found by `image_id` through `instances.json`.

    Args:
        split: train, val, test, testA or testB, whichever the file has.
        split_by: Whose division of the images: unc (RefCOCO, RefCOCO+), umd or google (RefCOCOg).

    The other arguments are those of `GroundingDataset`.
    """

    def __init__(
        self,
        *,
        data_root: str = "",
        ann_root: str = "",
        image_root: str = "",
        split: str,
        split_by: str = "unc",
        pipeline: Pipeline = (),
        per: Per = "sentence",
        indices: int | Sequence[int] | None = None,
        seed: int = 0,
        lazy_init: bool = False,
    ) -> None:
        self.split_by = split_by
        super().__init__(
            data_root=data_root,
            ann_root=ann_root,
            image_root=image_root,
            split=split,
            pipeline=pipeline,
            per=per,
            indices=indices,
            seed=seed,
            lazy_init=lazy_init,
        )

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read the refs of the split, in the order of the file, into records."""
        refs_file, instances_file = self._annotation_files()
        refs = self._select_split(_read(refs_file), refs_file)
        instances = _read(instances_file)
        images = {image["id"]: image for image in instances["images"]}
        targets = _index_targets(instances["annotations"], self._named_ids(refs))
        try:
            return [record for ref in refs for record in self._records(ref, images, targets)]
        except _DanglingIdError as error:
            raise ValueError(
                f"{refs_file} and {instances_file} do not belong together: {error}"
            ) from None

    @property
    def refs_names(self) -> tuple[str, ...]:
        """File names under which the refs are published, the preferred one first."""
        return (f"refs({self.split_by}).p",)

    def target_ids(self, ref: Ref) -> list[int]:
        """Return the annotation ids of what the ref names."""
        return [ref["ann_id"]]

    def _annotation_files(self) -> tuple[Path, Path]:
        """Find the two files of the annotation, or say what is expected where."""
        found = [self.ann_dir / name for name in self.refs_names if (self.ann_dir / name).is_file()]
        instances = self.ann_dir / "instances.json"
        if found and instances.is_file():
            return found[0], instances
        raise FileNotFoundError(
            f"no annotations for {type(self).__name__} in {self.ann_dir.resolve()}; expected\n"
            f"  {self.ann_dir}/{' or '.join(self.refs_names)}\n"
            f"  {self.ann_dir}/instances.json\n"
            f"  {self.image_dir}/*.jpg\n"
            f"The generated data are made by: python tools/prepare_data.py shapes --out "
            f"{self.data_root or 'data/shapes'}\n"
            "The official ones are put there by hand: data/README.md says where they come from"
        )

    def _select_split(self, refs: Iterable[Ref], refs_file: Path) -> list[Ref]:
        refs = list(refs)
        selected = [ref for ref in refs if ref["split"] == self.split]
        if not selected:
            present = ", ".join(sorted({str(ref["split"]) for ref in refs}))
            raise ValueError(f"{refs_file} has no split {self.split!r}; it has: {present}")
        return selected

    def _named_ids(self, refs: Iterable[Ref]) -> set[int]:
        return {ann_id for ref in refs for ann_id in self.target_ids(ref)}

    def _records(
        self, ref: Ref, images: dict[int, Any], targets: dict[int, Any]
    ) -> Iterator[dict[str, Any]]:
        """Yield the record of a ref, or one for each of its sentences."""
        image = _look_up(images, ref["image_id"], "image", ref)
        common = {
            "img_path": str(self.image_dir / image["file_name"]),
            "image_id": ref["image_id"],
            "split": self.split,
            "height": image["height"],
            "width": image["width"],
            "targets": [_look_up(targets, i, "annotation", ref) for i in self.target_ids(ref)],
        }
        sentences = [(s["sent_id"], s.get("raw") or s["sent"]) for s in ref["sentences"]]
        if self.per == "ref":
            yield {
                "sample_id": str(ref["ref_id"]),
                "expressions": [text for _, text in sentences],
                **common,
            }
            return
        for sent_id, text in sentences:
            yield {"sample_id": f"{ref['ref_id']}_{sent_id}", "expressions": [text], **common}


class _DanglingIdError(KeyError):
    """A ref points at an image or annotation that `instances.json` does not have."""

    def __str__(self) -> str:
        return str(self.args[0])


def _read(path: Path) -> Any:
    """Read a JSON or pickle file."""
    if path.suffix == ".p":
        return load_restricted_pickle(path)
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is truncated or no JSON: {error}") from error


def _index_targets(annotations: Iterable[dict[str, Any]], wanted: set[int]) -> dict[int, Any]:
    """Keep what a record needs of the annotations that are named, by id."""
    return {
        a["id"]: {"bbox": a["bbox"], "segmentation": a["segmentation"], "ann_id": a["id"]}
        for a in annotations
        if a["id"] in wanted
    }


def _look_up(table: dict[int, Any], key: int, what: str, ref: Ref) -> Any:
    if key not in table:
        raise _DanglingIdError(f"ref {ref['ref_id']} names {what} {key}, which is not there")
    return table[key]
