"""Several data sets as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.dataset import ConcatDataset

from vgtoolbox.datasets.base import GroundingDataset, images_of
from vgtoolbox.datasets.records import Record
from vgtoolbox.registry import DATASETS


@DATASETS.register_module()
class ConcatGroundingDataset(ConcatDataset):
    """One data set after the other; `sample_idx` counts through all of them.

    Drawn from by weights, it is a mixture: `sampler=dict(type="MixtureSampler", ...)`.

    Args:
        datasets: Datasets, or their configs; each has its own pipeline.
        exclude_images_of: Datasets, or their configs, whose images are left out of all. RefCOCO,
            RefCOCO+ and RefCOCOg divide the same images of COCO in different ways: a mixture of
            their train splits holds images of their test splits, unless these stand here.
        lazy_init: Do not read the annotations before `full_init()`.
    """

    datasets: list[GroundingDataset]

    def __init__(
        self,
        datasets: Sequence[GroundingDataset | Mapping[str, Any]],
        *,
        exclude_images_of: Sequence[Any] = (),
        lazy_init: bool = False,
    ) -> None:
        if not datasets:
            raise ValueError("a mixture needs one dataset or more, got none")
        self.exclude_images_of = exclude_images_of
        parts = [DATASETS.build(dict(d)) if isinstance(d, Mapping) else d for d in datasets]
        super().__init__(parts, lazy_init=lazy_init, ignore_keys=["split"])

    def full_init(self) -> None:
        """Read the annotations of all datasets, if that is not done."""
        if self._fully_initialized:
            return
        excluded = images_of(self.exclude_images_of)
        for dataset in self.datasets if excluded else ():
            dataset.leave_out_images(excluded)
        super().full_init()

    def get_data_info(self, idx: int) -> Record:
        """Return a copy of record `idx`."""
        dataset, position = self._locate(idx)
        return {**dataset.get_data_info(position), "sample_idx": idx % len(self)}

    def __getitem__(self, idx: int) -> Any:
        dataset, position = self._locate(idx)
        return dataset.prepare_data(position, sample_idx=idx % len(self))

    def image_keys(self) -> set[str]:
        """Return the names of all images, alike in all datasets (`records.image_key`)."""
        return images_of(self.datasets)

    def _locate(self, idx: int) -> tuple[GroundingDataset, int]:
        """Return the dataset that sample `idx` is of, and its position there."""
        if not -len(self) <= idx < len(self):
            raise IndexError(f"sample {idx} of a dataset of {len(self)}")
        number, position = self._get_ori_dataset_idx(idx)
        return self.datasets[number], position
