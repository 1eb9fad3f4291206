"""Concatenate several datasets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.dataset import ConcatDataset

from vgtoolbox.datasets.base import GroundingDataset, images_of
from vgtoolbox.datasets.image_identity import ImageFile
from vgtoolbox.datasets.records import Record
from vgtoolbox.registry import DATASETS
from vgtoolbox.utils.choices import OptionError


@DATASETS.register_module()
class ConcatGroundingDataset(ConcatDataset):
    """Concatenation of datasets; `sample_idx` counts through all of them.

    `sampler=dict(type="MixtureSampler", ...)` samples from the parts by weight.

    Args:
        datasets: Datasets, or their configs; each has its own pipeline.
        exclude_images_of: Datasets, or their configs, whose images are excluded from all parts.
            RefCOCO, RefCOCO+ and RefCOCOg split the same COCO images differently: a mixture of
            their train splits contains images of their test splits, unless these are listed here.
        lazy_init: Whether to wait for `full_init()` before the annotations are read.
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
            raise OptionError(f"datasets must be one dataset or more, got {datasets!r}")
        self.exclude_images_of = exclude_images_of
        parts = [DATASETS.build(dict(d)) if isinstance(d, Mapping) else d for d in datasets]
        super().__init__(parts, lazy_init=lazy_init, ignore_keys=["split"])

    def full_init(self) -> None:
        """Read the annotations of all datasets, unless they have been read already."""
        if self._fully_initialized:
            return
        if self.exclude_images_of:
            excluded = images_of(self.exclude_images_of)
            for dataset in self.datasets:
                dataset.exclude_copies(excluded)
        super().full_init()

    def get_data_info(self, idx: int) -> Record:
        """Return a copy of record `idx`."""
        dataset, position = self._locate(idx)
        return {**dataset.get_data_info(position), "sample_idx": idx % len(self)}

    def __getitem__(self, idx: int) -> Any:
        dataset, position = self._locate(idx)
        return dataset.prepare_data(position, sample_idx=idx % len(self))

    def images(self) -> list[ImageFile]:
        """Return the images of all datasets."""
        return [image for dataset in self.datasets for image in dataset.images()]

    def image_keys(self) -> set[str]:
        """Return the keys of all images, the same in every dataset (`image_identity.image_key`)."""
        return {image.key for image in self.images()}

    def _locate(self, idx: int) -> tuple[GroundingDataset, int]:
        """Return the dataset that contains sample `idx`, and the position of the sample there."""
        if not -len(self) <= idx < len(self):
            raise IndexError(f"index must be in [{-len(self)}, {len(self)}), got {idx}")
        number, position = self._get_ori_dataset_idx(idx)
        return self.datasets[number], position
