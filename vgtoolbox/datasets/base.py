"""What every grounding dataset shares: the index, the pipeline, and reproducible randomness."""

from __future__ import annotations

import gc
import logging
import re
from abc import abstractmethod
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import InitVar, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from mmengine.dataset import BaseDataset, Compose
from mmengine.logging import print_log

from vgtoolbox.datasets.annotations.annotation_files import AnnotationError, Entry, FieldError
from vgtoolbox.datasets.record_index import RecordIndex
from vgtoolbox.datasets.records import (
    GroupBy,
    Record,
    image_key,
    number_repeated_ids,
    regroup,
)
from vgtoolbox.registry import DATASETS, TRANSFORMS

Step = dict[str, Any] | Callable[[dict[str, Any]], dict[str, Any] | None]
Pipeline = Sequence[Step] | Mapping[str, Step]
Corrupted = Literal["raise", "skip"]

_COCO_FOLDER = re.compile(r"COCO_((?:train|val|test)\d{4})_")


@dataclass(kw_only=True, eq=False, repr=False)
class GroundingDataset(BaseDataset):
    """(image, expression, targets) records, read once and served through a pipeline.

    A record is plain Python: `img_path`, `image_id`, `sample_id`, `split`, `expressions` (list of
    sentences), `height` and `width` (absent where the annotations do not tell them), and `targets`,
    a list (empty where the expressions name nothing) of `{"bbox": [x, y, w, h], "segmentation":
    polygons or RLE or None (a box is all there is), "ann_id": int}`. Where the expressions of a
    record do not all name all targets, `expression_targets` holds the positions in `targets` for
    each expression. Records are held in a few arrays, which worker processes share.

    `dataset[i]` hands the pipeline the record with `sample_idx` and `rng`. All random transforms
    draw from that generator, which depends on (seed, epoch, sample_idx) alone: what a run sees does
    not change with the number of workers, and a resumed run sees what it would have seen.

    A reader of another format has two methods: `read_entries` yields raw annotations, and
    `parse_data_info` makes of one of them the record of a ref. Options of its own are fields, which
    `@dataclass(kw_only=True, eq=False, repr=False)` makes arguments.

    Args:
        data_root: Folder that `ann_root` and `image_root` are relative to.
        ann_root: Folder of the annotation files.
        ann_file: Name of the annotation file, where the format's own name is not the one.
        image_root: Folder of the images; `{folder}` in it stands for train2014 or val2014, as an
            image's name (`COCO_val2014_000000000042.jpg`) tells. A mapping where the annotations
            tell several sources of images apart.
        split: Name of the split, as the annotations spell it.
        pipeline: Transforms, as a list, or by name as a dict, of which a config that inherits this
            one can change a single entry.
        group_by: A sample for each "expression", for each "ref" with all expressions of one object
            or group, or for each "image" with all its expressions. Of several expressions
            `ChooseExpression` draws one.
        exclude_images_of: Datasets, or their configs, whose images are left out here.
        corrupted: "raise" an error at the first annotation that is not as the format says, or
            "skip" those and log their names.
        indices: Only the first (or, negative, last) so many samples, or those at these positions.
        seed: Of the generators handed to the transforms.
        lazy_init: Do not read the annotations before `full_init()`.
    """

    data_root: str = ""
    ann_root: str = ""
    ann_file: str = ""
    image_root: str | Mapping[str, str] = ""
    split: str
    pipeline: InitVar[Pipeline] = ()
    group_by: GroupBy = "expression"
    exclude_images_of: Sequence[Any] = ()
    corrupted: Corrupted = "raise"
    indices: int | Sequence[int] | None = None
    seed: int = 0
    lazy_init: InitVar[bool] = False

    def __post_init__(self, pipeline: Pipeline, lazy_init: bool) -> None:
        _check_choice("group_by", self.group_by, get_args(GroupBy))
        _check_choice("corrupted", self.corrupted, get_args(Corrupted))
        self.ann_dir = Path(self.data_root, self.ann_root)
        self._epoch = _shared_counter()
        self.data_list: Any  # a list while it is read, then a RecordIndex
        super().__init__(
            ann_file=self.ann_file,
            data_root=self.data_root,
            data_prefix={},
            metainfo={"split": self.split},
            indices=self.indices,
            serialize_data=False,  # the index does it
            lazy_init=True,
        )
        self.pipeline = _build_pipeline(pipeline)
        if not lazy_init:
            self.full_init()

    @classmethod
    def _load_metainfo(cls, metainfo: Mapping[str, Any] | None = None) -> dict[str, Any]:
        # mmengine takes a string for the name of a file of class names, and warns that it is none.
        return dict(cls.METAINFO) | dict(metainfo or {})

    def _join_prefix(self) -> None:
        """Leave `ann_file` relative to `ann_dir`; mmengine would take it for one of data_root."""

    # --- reading ----------------------------------------------------------------------------------

    @abstractmethod
    def read_entries(self) -> Iterable[Entry]:
        """Yield the raw annotations of the split, in a stable order."""

    @abstractmethod
    def parse_data_info(self, raw_data_info: Any) -> Record | None:
        """Make the record of a ref of one raw annotation; None where it is of another split.

        It has `expression_ids` beside `expressions`: the `sample_id` of each expression's own
        record.

        Raises:
            FieldError: The annotation is not as the format says.
        """

    def load_data_list(self) -> list[Record]:
        """Read the annotations of the split into records, in a stable order."""
        refs, broken = [], []
        for entry in self.read_entries():
            try:
                ref = self.parse_data_info(entry.value)
            except FieldError as error:
                if self.corrupted == "raise":
                    raise AnnotationError(f"{entry.file}, {entry.name}: {error}") from None
                broken.append(f"{entry.name} ({error})")
            else:
                refs += [] if ref is None else [ref]
        if broken:
            self._log(f"{len(broken)} broken annotations are skipped: {'; '.join(broken)}")
        records = regroup(refs, self.group_by)
        repeated = number_repeated_ids(records)
        if repeated:
            self._log(f"{len(repeated)} sample ids come again: {', '.join(repeated[:5])}, ...")
        return records

    def filter_data(self) -> RecordIndex:
        """Leave out the images of other splits, and pack what remains."""
        excluded = images_of(self.exclude_images_of)
        if not excluded:
            return RecordIndex(self.data_list)
        return RecordIndex(r for r in self.data_list if image_key(r["img_path"]) not in excluded)

    def full_init(self) -> None:
        """Read the annotations, if that is not done."""
        with _garbage_collection_paused():
            super().full_init()
        self._check_not_empty()

    def find_file(self, *names: str, beside: Sequence[str] = ()) -> Path:
        """Return the annotation file of the first of these names that is there.

        Args:
            names: What the file may be called, unless `ann_file` says it.
            beside: Files that must be in the same folder.

        Raises:
            FileNotFoundError: One is missing; the message shows the folder tree that is expected.
        """
        wanted = (self.ann_file,) if self.ann_file else names
        found = [self.ann_dir / name for name in wanted if (self.ann_dir / name).is_file()]
        if found and all((found[0].parent / name).is_file() for name in beside):
            return found[0]
        raise FileNotFoundError(_explain_missing(self, [" or ".join(wanted), *beside]))

    def image_path(self, file_name: str, source: str | None = None) -> str:
        """Return where the image `file_name` stands.

        Args:
            file_name: As the annotations have it.
            source: Key of `image_root`, where that is a mapping.
        """
        root = self.image_root
        if not isinstance(root, str):
            if source is None or source not in root:
                raise FieldError(
                    f"the image {file_name} is from {source!r}; image_root has: {', '.join(root)}"
                )
            root = root[source]
        if "{folder}" in root:
            folder = _COCO_FOLDER.search(file_name)
            if folder is None:
                raise FieldError(f"the name of the image {file_name} tells no folder of COCO")
            root = root.replace("{folder}", folder.group(1))
        return str(Path(self.data_root, root, file_name))

    def image_keys(self) -> set[str]:
        """Return the names of all images, alike in all datasets (`records.image_key`)."""
        self.full_init()
        return set(map(image_key, self.data_list.column("img_path")))

    def leave_out_images(self, keys: Container[str]) -> None:
        """Leave out the samples of these images (`image_keys`).

        Raises:
            ValueError: No sample remains.
        """
        self.full_init()
        paths = self.data_list.column("img_path")
        kept = [index for index, path in enumerate(paths) if image_key(path) not in keys]
        self.data_list = self.data_list.subset(kept)
        self._check_not_empty()

    def _check_not_empty(self) -> None:
        if not len(self.data_list):
            raise ValueError(f"split {self.split!r} of {self.ann_dir} is left without a sample")

    def _log(self, message: str) -> None:
        print_log(
            f"{type(self).__name__}, split {self.split!r} of {self.ann_dir}: {message}",
            logger="current",
            level=logging.WARNING,
        )

    # --- serving ----------------------------------------------------------------------------------

    @property
    def epoch(self) -> int:
        """The epoch that random transforms are seeded by."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Seed the random transforms by another epoch, in running worker processes too."""
        self._epoch.fill_(epoch)

    def get_data_info(self, idx: int) -> Record:
        """Return a copy of record `idx` with its `sample_idx`."""
        self.full_init()
        if not -len(self) <= idx < len(self):
            raise IndexError(f"sample {idx} of a dataset of {len(self)}")
        idx %= len(self)
        return {**self.data_list[idx], "sample_idx": idx}

    def prepare_data(self, idx: int, sample_idx: int | None = None) -> Any:
        """Run the pipeline on record `idx`; the same (seed, epoch, sample_idx) gives the same.

        Args:
            idx: Position in this dataset.
            sample_idx: Position in the dataset that this one is a part of, if it is.

        Raises:
            ValueError: A transform returned None.
        """
        record = self.get_data_info(idx)
        if sample_idx is not None:
            record["sample_idx"] = sample_idx
        record["rng"] = np.random.default_rng((self.seed, self.epoch, record["sample_idx"]))
        name, path = record["sample_id"], record["img_path"]
        # mmengine replaces a sample that fails by a random other one; a broken file shall be seen.
        data = self.pipeline(record)
        if data is None:
            raise ValueError(f"a transform returned None for sample {name} ({path})")
        return data

    def __getitem__(self, idx: int) -> Any:
        return self.prepare_data(idx)

    def _get_unserialized_subset(self, indices: int | Sequence[int]) -> RecordIndex:
        return self.data_list.subset(indices)

    def _copy_without_annotation(self, memo: dict[int, Any] | None = None) -> GroundingDataset:
        other = super()._copy_without_annotation({} if memo is None else memo)
        other._epoch = _shared_counter(self.epoch)  # a copied tensor is not in shared memory
        return other


def _explain_missing(dataset: GroundingDataset, files: Sequence[str]) -> str:
    """Show the folder tree that is expected, and say where it comes from."""
    root, folder = dataset.image_root, dataset.ann_dir
    image_roots = [root] if isinstance(root, str) else root.values()
    return (
        f"no annotations for {type(dataset).__name__} in {folder.resolve()}; expected\n"
        + "".join(f"  {folder}/{name}\n" for name in files)
        + "".join(f"  {Path(dataset.data_root, images)}/*.jpg\n" for images in image_roots)
        + "The generated data are made by: python tools/prepare_data.py shapes --out "
        f"{dataset.data_root or 'data/shapes'}\n"
        "The official ones are put there by hand: data/README.md says where they come from"
    )


def _check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    if value not in choices:
        expected = " or ".join(map(repr, choices))
        raise ValueError(f"{name} must be {expected}, got {value!r}")


def images_of(datasets: Iterable[Any]) -> set[str]:
    """Return the image keys of datasets, or of the configs of some."""
    built = (DATASETS.build(dict(d)) if isinstance(d, Mapping) else d for d in datasets)
    return {key for dataset in built for key in dataset.image_keys()}


@contextmanager
def _garbage_collection_paused() -> Iterator[None]:
    """Do not look for circles among the millions of objects of a file: it takes half the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _shared_counter(value: int = 0) -> torch.Tensor:
    """Return a scalar that worker processes see change."""
    return torch.tensor(value, dtype=torch.int64).share_memory_()


def _build_pipeline(pipeline: Pipeline) -> Compose:
    """Build the transforms from our registry, whatever mmengine's default scope is."""
    steps = pipeline.values() if isinstance(pipeline, Mapping) else pipeline
    return Compose([TRANSFORMS.build(s) if isinstance(s, Mapping) else s for s in steps])
