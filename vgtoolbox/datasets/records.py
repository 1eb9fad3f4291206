"""Records of samples before any pixel is read, independent of the annotation format.

A reader builds one record per *ref*, a group of expressions of one image. The functions here turn
them into samples by expression, by ref or by image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, TypeAlias

from vgtoolbox.datasets.image_identity import coco_number
from vgtoolbox.datasets.image_identity import image_key as image_key

Record: TypeAlias = dict[str, Any]
GroupBy = Literal["expression", "ref", "image"]

PER_EXPRESSION = {
    "expression_ids": "sample_id",
    "corrections": "correction",
    "sources": "source",
    "query_kinds": "query_kind",
}
"""Lists with one entry per expression, and the name of an entry in a record of one expression."""


def split_expressions(record: Record) -> Iterator[Record]:
    """Yield one record per expression of a ref, with the targets that this expression names."""
    lists = {*PER_EXPRESSION, "expressions", "expression_targets", "targets"}
    common = {key: value for key, value in record.items() if key not in lists}
    present = [(many, one) for many, one in PER_EXPRESSION.items() if many in record]
    for position, expression in enumerate(record["expressions"]):
        sample = {**common, "expressions": [expression]}
        if "targets" in record:
            sample["targets"] = targets_of(record, position)
        for many, one in present:
            sample[one] = record[many][position]
        yield sample


def targets_of(record: Record, position: int) -> list[dict[str, Any]]:
    """Return the targets of one expression of a record.

    A record has `expression_targets`, positions in `targets` for each expression, only if its
    expressions do not all name all targets.
    """
    targets = record.get("targets", [])
    if "expression_targets" not in record:
        return targets
    return [targets[index] for index in record["expression_targets"][position]]


def merge_images(records: Iterable[Record]) -> list[Record]:
    """Merge the refs of each image into one record, in the order in which images first appear."""
    images: dict[str, list[Record]] = {}
    for record in records:
        images.setdefault(record["img_path"], []).append(record)
    return [_merge_refs(refs) for refs in images.values()]


def _merge_refs(refs: list[Record]) -> Record:
    """Merge refs of one image; a target that several of them name appears once."""
    merged = {**refs[0], "sample_id": str(refs[0]["image_id"]), "expressions": []}
    positions: dict[int, int] = {}
    merged["targets"], merged["expression_targets"] = [], []
    lists: dict[str, list[Any]] = {
        key: [] for key in PER_EXPRESSION if any(key in ref for ref in refs)
    }
    for ref in refs:
        for target in ref.get("targets", ()):
            if id(target) not in positions:
                positions[id(target)] = len(merged["targets"])
                merged["targets"].append(target)
        for index in range(len(ref["expressions"])):
            named = [positions[id(target)] for target in targets_of(ref, index)]
            merged["expression_targets"].append(named)
        merged["expressions"] += ref["expressions"]
        for key, values in lists.items():
            values += ref.get(key, [None] * len(ref["expressions"]))
    return {**merged, **lists}


def regroup(records: list[Record], group_by: GroupBy) -> list[Record]:
    """Turn records of refs into records of samples."""
    grouping: dict[str, Callable[[list[Record]], list[Record]]] = {
        "expression": lambda refs: [sample for ref in refs for sample in split_expressions(ref)],
        "ref": lambda refs: refs,
        "image": merge_images,
    }
    return grouping[group_by](records)


def number_repeated_ids(records: Iterable[Record]) -> list[str]:
    """Append #2, #3, ... to repeated sample ids and return these ids."""
    seen: dict[str, int] = {}
    repeated = []
    for record in records:
        name = record["sample_id"]
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            repeated.append(name)
            record["sample_id"] = f"{name}#{seen[name]}"
    return repeated


def image_id_of(file_name: str) -> int | str:
    """Return COCO's number of an image, or its path; for annotations without an image id.

    Args:
        file_name: Path of the image below its root, as annotated.
    """
    number = coco_number(file_name)
    return file_name if number is None else int(number)
