"""Number the images of a dataset that has several samples per image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from mmengine.dataset import ConcatDataset

from vgtoolbox.datasets.record_index import RecordIndex


def image_numbers(dataset: Any) -> np.ndarray:
    """Return the image number of each sample, (len(dataset),) int64, by first appearance.

    Args:
        dataset: Dataset with one sample per expression or ref, whose `get_data_info(i)` returns an
            `img_path`.
    """
    numbers: dict[str, int] = {}
    known = (numbers.setdefault(path, len(numbers)) for path in _image_paths(dataset))
    return np.fromiter(known, np.int64, len(dataset))


def _image_paths(dataset: Any) -> Iterator[str]:
    """Yield the image path of each sample; our own datasets do not decode targets for it."""
    if isinstance(dataset, ConcatDataset):
        for part in dataset.datasets:
            yield from _image_paths(part)
    elif isinstance(getattr(dataset, "data_list", None), RecordIndex):
        yield from dataset.data_list.column("img_path")
    else:
        yield from (dataset.get_data_info(index)["img_path"] for index in range(len(dataset)))
