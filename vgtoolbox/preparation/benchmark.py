"""Description of a benchmark: annotation files, images and splits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from vgtoolbox.datasets.base import GroundingDataset
from vgtoolbox.registry import DATASETS
from vgtoolbox.utils.choices import check_choice
from vgtoolbox.utils.text_files import existing_file

GENERATED_MARKER = "statistics.json"
"""File that marks a generated dataset, whose images are all in one folder."""
GENERATED_IMAGES = "images"


@dataclass(frozen=True, kw_only=True)
class AnnotationFiles:
    """Annotation files that are released together, in one folder.

    Args:
        folder: Folder of the files under the data root.
        names: File name -> other names under which the file is released.
        origin: Official page.
        aliases: Other names of the folder or archive that contains the released files, in addition
            to the last part of `folder`.
    """

    folder: str
    names: Mapping[str, tuple[str, ...]]
    origin: str
    aliases: tuple[str, ...] = ()

    def missing(self, root: Path) -> list[str]:
        """Return the missing files as paths under `root`.

        Any of their names, plain or compressed (`.gz`), is accepted.
        """
        place = root / self.folder
        return [
            f"{self.folder}/{name}"
            for name, others in self.names.items()
            if not any(existing_file(place / candidate) for candidate in (name, *others))
        ]

    @property
    def folder_names(self) -> frozenset[str]:
        """Names that identify the folder or archive of the files."""
        return frozenset({Path(self.folder).name, *self.aliases})


@dataclass(frozen=True, kw_only=True)
class ImageFolder:
    """Folder of images.

    Args:
        folder: Folder under the data root.
        origin: Official page.
        archives: Names of the official archives, which together contain all images.
        aliases: Other names of the released folder, in addition to the last part of `folder`.
    """

    folder: str
    origin: str
    archives: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()

    def exists(self, root: Path) -> bool:
        """Return whether the folder exists and is not empty."""
        place = root / self.folder
        return place.is_dir() and any(place.iterdir())


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Numbers of refs, expressions and images.

    Args:
        refs: Number of refs. If `None`, it is unknown.
        expressions: Number of expressions. If `None`, it is unknown.
        images: Number of images. If `None`, it is unknown.
    """

    refs: int | None = None
    expressions: int | None = None
    images: int | None = None

    def differences(self, found: Counts) -> list[str]:
        """Return a message for each known number from which `found` differs."""
        pairs = {name: (known, getattr(found, name)) for name, known in vars(self).items()}
        return [
            f"{name}: {number:,} found, {known:,} expected"
            for name, (known, number) in pairs.items()
            if known is not None and known != number
        ]


@dataclass(frozen=True, kw_only=True)
class Split:
    """Split of a benchmark.

    Args:
        name: Name of the split in the tools.
        options: Arguments of the reader that select the split.
        counts: Official numbers of refs, expressions and images.
        training: Whether the split is used for training.
    """

    name: str
    options: Mapping[str, Any]
    counts: Counts = Counts()
    training: bool = False


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """Benchmark as described by its official pages.

    Args:
        name: Subcommand of tools/prepare_data.py.
        title: Title of the benchmark.
        annotation_files: Annotation files, by folder.
        images: Image folders.
        reader: Config of the dataset without its split.
        splits: Official splits.
        total: Official numbers of all splits together, if those of each split are unknown.
        shares_images: Partitions (the part of a split's name before the slash) whose splits share
            images by design.
        generated_reader: Arguments of the reader that differ for generated datasets.
        generated_splits: Splits of generated datasets. If empty, `splits` are used.
    """

    name: str
    title: str
    annotation_files: tuple[AnnotationFiles, ...]
    images: tuple[ImageFolder, ...]
    reader: Mapping[str, Any]
    splits: tuple[Split, ...]
    total: Counts = Counts()
    shares_images: frozenset[str] = frozenset()
    generated_reader: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    generated_splits: tuple[Split, ...] = ()

    def splits_at(self, root: Path) -> tuple[Split, ...]:
        """Return the expected splits of the data at `root`."""
        if self.generated_splits and is_generated(root):
            return self.generated_splits
        return self.splits

    def dataset(self, root: Path, split: Split, **options: Any) -> GroundingDataset:
        """Return the reader of a split; files are not read until they are needed.

        Args:
            root: Data root.
            split: Split of the benchmark.
            options: Other arguments of the reader.
        """
        config = {**self.reader, **split.options, "data_root": str(root), "lazy_init": True}
        if is_generated(root):
            config |= {"image_root": GENERATED_IMAGES, **self.generated_reader}
        return DATASETS.build({**config, **options})

    def split(self, name: str, root: Path) -> Split:
        """Return the split with a name.

        Raises:
            ValueError: The split does not exist.
        """
        splits = {split.name: split for split in self.splits_at(root)}
        check_choice(f"split of {self.name}", name, splits)
        return splits[name]

    @property
    def annotation_folders(self) -> list[str]:
        """Folders that contain annotations, under the data root."""
        return [part.folder for part in self.annotation_files or self.images]

    def missing_files(self, root: Path) -> list[str]:
        """Return the missing annotation files as paths under `root`."""
        if not self.annotation_files:
            return self.missing_images(root)
        return [path for files in self.annotation_files for path in files.missing(root)]

    def missing_images(self, root: Path) -> list[str]:
        """Return the missing image folders as paths under `root`."""
        if is_generated(root) and self.annotation_files:
            return [] if (root / GENERATED_IMAGES).is_dir() else [GENERATED_IMAGES]
        return [images.folder for images in self.images if not images.exists(root)]


def is_generated(root: Path) -> bool:
    """Return whether the data at `root` are a generated dataset."""
    return (root / GENERATED_MARKER).is_file()
