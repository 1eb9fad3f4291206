"""Base class of all grounding datasets: index, pipeline and reproducible randomness."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass
from pathlib import Path, PurePath
from typing import Any, Literal, get_args

import numpy as np
import torch
from mmengine.dataset import BaseDataset, Compose
from mmengine.logging import print_log

from vgtoolbox.datasets.annotations.annotation_files import AnnotationError, Entry, FieldError
from vgtoolbox.datasets.annotations.expressions import check_expressions
from vgtoolbox.datasets.annotations.image_names import (
    choose_root,
    common_roots,
    image_file,
    join_root,
)
from vgtoolbox.datasets.annotations.split_names import is_misspelled
from vgtoolbox.datasets.annotations.target_checks import TargetChecker
from vgtoolbox.datasets.image_identity import ImageFile, ImageIndex
from vgtoolbox.datasets.record_index import RecordIndex
from vgtoolbox.datasets.records import (
    GroupBy,
    Record,
    number_repeated_ids,
    regroup,
)
from vgtoolbox.datasets.transforms.text import find_cleaning
from vgtoolbox.registry import DATASETS, TRANSFORMS
from vgtoolbox.utils.choices import OptionError, check_choice, did_you_mean, is_nearly
from vgtoolbox.utils.garbage_collection import garbage_collection_paused
from vgtoolbox.utils.text_files import existing_file

Step = dict[str, Any] | Callable[[dict[str, Any]], dict[str, Any] | None]
Pipeline = Sequence[Step] | Mapping[str, Step]
Corrupted = Literal["raise", "skip"]


@dataclass(kw_only=True, eq=False, repr=False)
class GroundingDataset(BaseDataset):
    """Records of (image, expression, targets), read once and served through a pipeline.

    A record is plain Python: `img_path`, `image_id`, `sample_id`, `split`, `expressions` (list of
    sentences), `height` and `width` (absent if the annotations do not contain them), and `targets`,
    a list (empty if the expressions name nothing) of `{"bbox": [x, y, w, h], "segmentation":
    polygons, RLE or None (only a box is annotated), "ann_id": int}`. If the expressions of a record
    do not all name all targets, `expression_targets` has the positions in `targets` for each
    expression. Records are stored in a few arrays that worker processes share.

    `dataset[i]` passes the record with `sample_idx` and `rng` to the pipeline. All random
    transforms draw from that generator, which depends only on (seed, epoch, sample_idx): the
    samples of a run do not change with the number of workers, and a resumed run sees the same
    samples as an uninterrupted one.

    A reader of another format implements two methods: `read_entries` yields raw annotations, and
    `parse_data_info` turns one of them into the record of a ref. Options are fields, which
    `@dataclass(kw_only=True, eq=False, repr=False)` turns into arguments.

    Args:
        data_root: Folder that `ann_root` and `image_root` are relative to.
        ann_root: Folder of the annotation files.
        ann_file: Name of the annotation file. If empty, the format's official name is used.
        image_root: Folder of the images. `{folder}` in it is replaced by train2014 or val2014,
            according to the image's name (`COCO_val2014_000000000042.jpg`). A mapping from source
            to folder if the annotations distinguish several sources of images.
        split: Name of the split, as spelled in the annotations.
        pipeline: Transforms, as a list, or as a dict by name, of which a config that inherits this
            one can change a single entry.
        group_by: One sample per "expression", per "ref" with all expressions of one object or
            group, or per "image" with all its expressions. `ChooseExpression` draws one of several
            expressions.
        exclude_images_of: Datasets, or their configs, whose images are excluded here, by COCO's
            number, path or equal bytes (`image_identity.ImageIndex`).
        corrupted: "raise" to raise an error at the first annotation that violates the format, or
            "skip" to skip such annotations and log their names.
        indices: Number of first samples (or last samples, if negative) to keep, or their positions.
            If `None`, all samples are kept.
        seed: Seed of the generators passed to the transforms.
        lazy_init: Whether to wait for `full_init()` before the annotations are read.
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
        check_choice("group_by", self.group_by, get_args(GroupBy))
        check_choice("corrupted", self.corrupted, get_args(Corrupted))
        self.ann_dir = Path(self.data_root, self.ann_root)
        self._read_from = str(self.ann_dir)
        self._epoch = _shared_counter()
        self._other_splits: set[str] = set()
        self.data_list: Any  # a list while it is read, then a RecordIndex
        super().__init__(
            ann_file=self.ann_file,
            data_root=self.data_root,
            data_prefix={},
            metainfo={"split": self.split},
            indices=self.indices,
            serialize_data=False,  # RecordIndex serializes
            lazy_init=True,
        )
        self.pipeline = _build_pipeline(pipeline)
        if not lazy_init:
            self.full_init()

    @classmethod
    def _load_metainfo(cls, metainfo: Mapping[str, Any] | None = None) -> dict[str, Any]:
        # mmengine takes a string for the name of a file of class names, and warns if there is none.
        return dict(cls.METAINFO) | dict(metainfo or {})

    def _join_prefix(self) -> None:
        """Leave `ann_file` relative to `ann_dir`; mmengine would join it to `data_root`."""

    # --- reading ----------------------------------------------------------------------------------

    @abstractmethod
    def read_entries(self) -> Iterable[Entry]:
        """Yield the raw annotations of the split, in a stable order."""

    @abstractmethod
    def parse_data_info(self, raw_data_info: Any) -> Record | None:
        """Turn one raw annotation into the record of a ref, or `None` if it has another split.

        In addition to `expressions`, the record has `expression_ids`: the `sample_id` of each
        expression's own record.

        Raises:
            FieldError: The annotation violates the format.
        """

    def is_of_split(self, split: str) -> bool:
        """Return whether an annotation's split is this one; other splits are kept for messages."""
        if split != self.split:
            self._other_splits.add(split)
        return split == self.split

    def targets_file(self, entry: Entry) -> Path:
        """Return the file that contains the targets of an entry, for errors and warnings."""
        return entry.file

    def load_data_list(self) -> list[Record]:
        """Read the annotations of the split into records, in a stable order."""
        refs, broken, checker = [], [], TargetChecker()
        cleaning = find_cleaning(self.pipeline.transforms)
        for entry in self.read_entries():
            try:
                ref = self.parse_data_info(entry.value)
                check_expressions(() if ref is None else ref["expressions"], cleaning)
                if ref is not None:
                    checker.check(ref, entry, self.targets_file(entry))
            except FieldError as error:
                if self.corrupted == "raise":
                    raise AnnotationError(f"{entry.file}, {entry.name}: {error}") from None
                broken.append(f"{entry.name} ({error})")
            else:
                refs += [] if ref is None else [ref]
        if broken:
            self._log(f"skipped {len(broken)} broken annotations: {'; '.join(broken)}")
        for other in sorted(split for split in self._other_splits if is_misspelled(split)):
            if is_nearly(other, self.split):
                self._log(f"annotations of the split {other!r} are not read; is it {self.split!r}?")
        self._read_from = str(checker.file or self.ann_dir)
        if checker.dropped:
            self._log(checker.describe_dropped())
        checker.check_pixels(f"{self._read_from}, split {self.split!r},")
        records = regroup(refs, self.group_by)
        repeated = number_repeated_ids(records)
        if repeated:
            self._log(f"{len(repeated)} sample ids are repeated: {', '.join(repeated[:5])}, ...")
        return records

    def filter_data(self) -> RecordIndex:
        """Exclude the images of other splits and pack the remaining records."""
        if not self.exclude_images_of:
            return RecordIndex(self.data_list)
        index = images_of(self.exclude_images_of)
        paths = [record["img_path"] for record in self.data_list]
        excluded = {image.path for image in self.image_files(paths) if index.find(image)}
        self._log_excluded(sum(path in excluded for path in paths), len(paths))
        return RecordIndex(r for r in self.data_list if r["img_path"] not in excluded)

    def full_init(self) -> None:
        """Read the annotations, unless they have been read already."""
        with garbage_collection_paused():
            super().full_init()
        self._check_not_empty()

    def find_file(self, *names: str, companions: Sequence[str] = ()) -> Path:
        """Return the annotation file: the first of `names` that exists, plain or as `.gz`.

        Args:
            names: Possible names of the file; ignored if `ann_file` is given.
            companions: Files that must be in the same folder.

        Raises:
            FileNotFoundError: A file is missing; the message shows the expected folder tree.
        """
        wanted = (self.ann_file,) if self.ann_file else names
        places = (existing_file(self.ann_dir / name) for name in wanted)
        found = next((place for place in places if place is not None), None)
        if found and all(existing_file(found.with_name(name)) for name in companions):
            return found
        raise FileNotFoundError(_explain_missing(self, [" or ".join(wanted), *companions]))

    def image_path(self, file_name: str, source: str | None = None) -> str:
        """Return the path of an image.

        Args:
            file_name: Name of the image in the annotations.
            source: Key of `image_root` if that is a mapping; ignored otherwise.

        Raises:
            FieldError: The source is not a key of `image_root`, the folder of COCO cannot be
                derived from the name, or the name is not that of a file below `image_root`.
        """
        root = choose_root(self.image_root, file_name, source)
        return image_file(join_root(str(self.data_root), root), file_name)

    def name_below_root(self, path: str) -> str:
        """Return the path of an image below the root of its images.

        Args:
            path: `img_path` of a record.
        """
        folders = [str(Path(self.data_root, root)) for root in common_roots(self.image_root)]
        for folder in sorted({*folders, str(self.ann_dir)}, key=len, reverse=True):
            if PurePath(path).is_relative_to(folder):
                return PurePath(path).relative_to(folder).as_posix()
        return path

    def images(self) -> list[ImageFile]:
        """Return the images, each once."""
        self.full_init()
        return self.image_files(self.data_list.column("img_path"))

    def image_files(self, paths: Iterable[str]) -> list[ImageFile]:
        """Return images, each once, by the `img_path` of records."""
        return [ImageFile(path, self.name_below_root(path)) for path in dict.fromkeys(paths)]

    def image_keys(self) -> set[str]:
        """Return the keys of all images, the same in every dataset (`image_identity.image_key`)."""
        return {image.key for image in self.images()}

    def exclude_images(self, keys: Container[str]) -> None:
        """Exclude the samples of some images.

        Args:
            keys: Keys of the images (`image_identity.image_key`).

        Raises:
            AnnotationError: No samples remain.
        """
        self._exclude({image.path for image in self.images() if image.key in keys})

    def exclude_copies(self, index: ImageIndex) -> None:
        """Exclude the samples of images that are in an index.

        Raises:
            AnnotationError: No samples remain.
        """
        self._exclude({image.path for image in self.images() if index.find(image) is not None})

    def _exclude(self, excluded: Container[str]) -> None:
        paths = self.data_list.column("img_path")
        kept = [index for index, path in enumerate(paths) if path not in excluded]
        self._log_excluded(len(paths) - len(kept), len(paths))
        self.data_list = self.data_list.subset(kept)
        self._check_not_empty()

    def _log_excluded(self, number: int, total: int) -> None:
        if number:
            self._log(f"left out {number:,} of {total:,} samples, whose images are excluded")

    def _check_not_empty(self) -> None:
        if not len(self.data_list):
            present = ", ".join(map(repr, sorted(self._other_splits)))
            raise AnnotationError(
                f"split {self.split!r} of {self.ann_dir} has no samples"
                + (f"; its annotations are of {present}" if present else "")
                + did_you_mean(self.split, sorted(self._other_splits))
            )

    def _log(self, message: str) -> None:
        print_log(
            f"{type(self).__name__}, split {self.split!r} of {self.ann_dir}: {message}",
            logger="current",
            level=logging.WARNING,
        )

    # --- serving ----------------------------------------------------------------------------------

    @property
    def epoch(self) -> int:
        """Epoch that seeds the random transforms."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch that seeds the random transforms, in running worker processes too."""
        self._epoch.fill_(epoch)

    def get_data_info(self, idx: int) -> Record:
        """Return a copy of record `idx` with its `sample_idx`."""
        self.full_init()
        if not -len(self) <= idx < len(self):
            raise IndexError(f"index must be in [{-len(self)}, {len(self)}), got {idx}")
        idx %= len(self)
        return {**self.data_list[idx], "sample_idx": idx}

    def prepare_data(self, idx: int, sample_idx: int | None = None) -> Any:
        """Run the pipeline on record `idx`; the result depends only on (seed, epoch, sample_idx).

        Args:
            idx: Position in this dataset.
            sample_idx: Position in the dataset that contains this one. If `None`, `idx` is used.

        Raises:
            ValueError: A transform returned None.
        """
        record = self.get_data_info(idx)
        if sample_idx is not None:
            record["sample_idx"] = sample_idx
        record["rng"] = np.random.default_rng((self.seed, self.epoch, record["sample_idx"]))
        name, path = record["sample_id"], record["img_path"]
        # mmengine would replace a failing sample by a random other one and hide the broken file.
        try:
            data = self.pipeline(record)
        except AnnotationError as error:
            raise AnnotationError(f"{self._read_from}, {error}") from None
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
    """Show the expected folder tree and say where the files come from."""
    root, folder = dataset.image_root, dataset.ann_dir
    image_roots = [root] if isinstance(root, str) else root.values()
    present = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    nearest = next(filter(None, (did_you_mean(name, present) for name in files)), "")
    return (
        f"no annotations for {type(dataset).__name__} in {folder.resolve()}{nearest}; expected\n"
        + "".join(f"  {folder}/{name}\n" for name in files)
        + "".join(f"  {Path(dataset.data_root, images)}/*.jpg\n" for images in image_roots)
        + "To generate data, run: python tools/prepare_data.py shapes --out "
        f"{dataset.data_root or 'data/shapes'}\n"
        "For the official files, see data/README.md"
    )


def images_of(datasets: Iterable[Any]) -> ImageIndex:
    """Return the images of datasets.

    Args:
        datasets: Datasets or their configs.
    """
    built = (DATASETS.build(dict(d)) if isinstance(d, Mapping) else d for d in datasets)
    return ImageIndex(image for dataset in built for image in dataset.images())


def _shared_counter(value: int = 0) -> torch.Tensor:
    """Return a scalar in shared memory, whose changes worker processes see."""
    return torch.tensor(value, dtype=torch.int64).share_memory_()


def _build_pipeline(pipeline: Pipeline) -> Compose:
    """Build the transforms from our registry, independent of mmengine's default scope."""
    steps = pipeline.values() if isinstance(pipeline, Mapping) else pipeline
    try:
        return Compose([TRANSFORMS.build(s) if isinstance(s, Mapping) else s for s in steps])
    except ValueError as error:  # the constructors of transforms check their options
        raise OptionError(str(error)) from error
