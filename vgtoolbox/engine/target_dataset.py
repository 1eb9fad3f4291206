"""Dataset of targets without images, to score predictions against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vgtoolbox.datasets.records import split_expressions
from vgtoolbox.registry import DATASETS, TRANSFORMS
from vgtoolbox.utils.image_files import image_size


class TargetDataset:
    """Dataset with one sample per expression and its targets in the original frame.

    Each expression is a sample, as it is a line of `predictions.jsonl`, even if the dataset groups
    expressions. `round` is then the position of the expression in its group, from 0.

    Masks are omitted if an annotation has boxes only; a metric that needs them raises an error.

    Args:
        config: Config of the dataset. The options of its `LoadTargets` apply, since they affect the
            values (truncation of boxes to whole pixels). No other transform of its pipeline runs.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        step = {**_load_targets(config), "dense": False, "keep_original": True}
        self._load = TRANSFORMS.build(step)
        self._load_boxes = TRANSFORMS.build({**step, "with_masks": False})
        self._dataset = DATASETS.build({**config, "pipeline": []})
        self._places = [
            (position, number)
            for position in range(len(self._dataset))
            for number in range(len(_expressions(self._dataset.get_data_info(position))))
        ]

    def __len__(self) -> int:
        return len(self._places)

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Return the record of an expression."""
        position, number = self._places[idx]
        return {**_expressions(self._dataset.get_data_info(position))[number], "sample_idx": idx}

    def __getitem__(self, idx: int) -> dict[str, Any]:
        """Return the record with `ori_shape`, `boxes_ori` and, if it has masks, `rles_ori`.

        Raises:
            ValueError: The record has no targets field.
        """
        sample = self.get_data_info(idx)
        if "targets" not in sample:
            raise ValueError(
                f"sample {sample['sample_id']!r} has no annotated targets to score against; use a "
                "split with annotations"
            )
        sample["ori_shape"] = _image_size(sample)
        with_masks = all(target.get("segmentation") is not None for target in sample["targets"])
        return (self._load if with_masks else self._load_boxes)(sample)


def _load_targets(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the `LoadTargets` step of a dataset's pipeline."""
    pipeline = config.get("pipeline") or ()
    steps = pipeline.values() if isinstance(pipeline, Mapping) else pipeline
    found = [step for step in steps if isinstance(step, Mapping) and step["type"] == "LoadTargets"]
    return found[0] if found else {"type": "LoadTargets"}


def _expressions(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a record for each expression of a ref, an image or a conversation."""
    if "expression_ids" not in record:
        return [record]
    return [{**each, "round": number} for number, each in enumerate(split_expressions(record))]


def _image_size(record: Mapping[str, Any]) -> tuple[int, int]:
    """Return (H, W) from the annotation or, if it has none, from the header of the image file."""
    if record.get("height") and record.get("width"):
        return record["height"], record["width"]
    return image_size(record["img_path"])
