"""What every grounding dataset shares: the index, the pipeline, and reproducible randomness."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from mmengine.dataset import BaseDataset, Compose

from vgtoolbox.registry import TRANSFORMS

Step = dict[str, Any] | Callable[[dict[str, Any]], dict[str, Any] | None]
Pipeline = Sequence[Step] | Mapping[str, Step]
Per = Literal["sentence", "ref"]


class GroundingDataset(BaseDataset):
    """(image, expression, targets) records, read once and served through a pipeline.

    A record is plain Python: `img_path`, `image_id`, `sample_id`, `split`, `expressions` (list of
    sentences that name the same targets), `height`, `width`, and `targets`, a list (empty where the
    expressions name nothing) of `{"bbox": [x, y, w, h], "segmentation": polygons or RLE,
    "ann_id": int}`. Records are held serialised in one array, which worker processes share.

    `dataset[i]` hands the pipeline the record with `sample_idx` and `rng`. All random transforms
    draw from that generator, which depends on (seed, epoch, sample_idx) alone: what a run sees does
    not change with the number of workers, and a resumed run sees what it would have seen.

    Args:
        data_root: Folder that `ann_root` and `image_root` are relative to.
        ann_root: Folder of the annotation files.
        image_root: Folder of the images.
        split: Name of the split, as the annotations spell it.
        pipeline: Transforms, as a list, or by name as a dict, of which a config that inherits this
            one can change a single entry.
        per: A sample for each "sentence", or one for each "ref" with all its sentences, of which
            `ChooseExpression` draws one.
        indices: Only the first (or, negative, last) so many samples, or those at these positions.
        seed: Of the generators handed to the transforms.
        lazy_init: Do not read the annotations before `full_init()`.
    """

    def __init__(
        self,
        *,
        data_root: str = "",
        ann_root: str = "",
        image_root: str = "",
        split: str,
        pipeline: Pipeline = (),
        per: Per = "sentence",
        indices: int | Sequence[int] | None = None,
        seed: int = 0,
        lazy_init: bool = False,
    ) -> None:
        if per not in ("sentence", "ref"):
            raise ValueError(f"per must be 'sentence' or 'ref', got {per!r}")
        self.ann_dir = Path(data_root, ann_root)
        self.image_dir = Path(data_root, image_root)
        self.split = split
        self.per = per
        self.seed = seed
        self._epoch = _shared_counter()
        super().__init__(
            data_root=data_root,
            data_prefix={},
            metainfo={"split": split},
            indices=indices,
            lazy_init=True,
        )
        self.pipeline = _build_pipeline(pipeline)
        if not lazy_init:
            self.full_init()

    @classmethod
    def _load_metainfo(cls, metainfo: Mapping[str, Any] | None = None) -> dict[str, Any]:
        # mmengine takes a string for the name of a file of class names, and warns that it is none.
        return dict(cls.METAINFO) | dict(metainfo or {})

    @abstractmethod
    def load_data_list(self) -> list[dict[str, Any]]:
        """Read the annotations of the split into records, in a stable order."""

    @property
    def epoch(self) -> int:
        """The epoch that random transforms are seeded by."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Seed the random transforms by another epoch, in running worker processes too."""
        self._epoch.fill_(epoch)

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Return a copy of record `idx` with its `sample_idx`."""
        if not -len(self) <= idx < len(self):
            raise IndexError(f"sample {idx} of a dataset of {len(self)}")
        # mmengine's lookup is wrong for negative positions of the serialised index.
        return super().get_data_info(idx % len(self))

    def prepare_data(self, idx: int) -> Any:
        """Run the pipeline on record `idx`; the same (seed, epoch, idx) gives the same sample."""
        record = self.get_data_info(idx)
        record["rng"] = np.random.default_rng((self.seed, self.epoch, record["sample_idx"]))
        return self.pipeline(record)

    def __getitem__(self, idx: int) -> Any:
        # mmengine replaces a sample that fails by a random other one; a broken file shall be seen.
        data = self.prepare_data(idx)
        if data is None:
            record = self.get_data_info(idx)
            raise ValueError(
                f"a transform returned None for sample {record['sample_id']} ({record['img_path']})"
            )
        return data

    def _serialize_data(self) -> tuple[np.ndarray, np.ndarray]:
        if not self.data_list:
            raise ValueError(f"split {self.split!r} of {self.ann_dir} is left without a sample")
        return super()._serialize_data()

    def _copy_without_annotation(self, memo: dict[int, Any] | None = None) -> GroundingDataset:
        other = super()._copy_without_annotation({} if memo is None else memo)
        other._epoch = _shared_counter(self.epoch)  # a copied tensor is not in shared memory
        return other


def _shared_counter(value: int = 0) -> torch.Tensor:
    """Return a scalar that worker processes see change."""
    return torch.tensor(value, dtype=torch.int64).share_memory_()


def _build_pipeline(pipeline: Pipeline) -> Compose:
    """Build the transforms from our registry, whatever mmengine's default scope is."""
    steps = pipeline.values() if isinstance(pipeline, Mapping) else pipeline
    return Compose([TRANSFORMS.build(s) if isinstance(s, Mapping) else s for s in steps])
