"""What a benchmark is made of: its files, its images, and the splits it is divided into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from vgtoolbox.datasets.base import GroundingDataset
from vgtoolbox.registry import DATASETS

WORLD_FILE = "statistics.json"
"""Stands in a folder of generated data, whose images are all in one folder."""
WORLD_IMAGES = "images"


@dataclass(frozen=True, kw_only=True)
class AnnotationFiles:
    """Annotation files that stand in one folder and are released together.

    Args:
        folder: Where they belong, under the data root.
        files: Their names there; a name may have others beside it, under which it is released.
        origin: The official page.
        labels: Names of folders or archives that they come in, beside the last part of `folder`.
    """

    folder: str
    files: Mapping[str, tuple[str, ...]]
    origin: str
    labels: tuple[str, ...] = ()

    def missing(self, root: Path) -> list[str]:
        """Return the files that are not there, as paths under `root`; any name will do."""
        place = root / self.folder
        return [
            f"{self.folder}/{name}"
            for name, others in self.files.items()
            if not any((place / candidate).is_file() for candidate in (name, *others))
        ]

    @property
    def known_as(self) -> frozenset[str]:
        """Names by which the folder or archive of the files is told from others."""
        return frozenset({Path(self.folder).name, *self.labels})


@dataclass(frozen=True, kw_only=True)
class ImageFolder:
    """Images, as one folder.

    Args:
        folder: Where it belongs, under the data root.
        origin: The official page.
        archives: Names of the official archives, which together fill the folder.
        labels: Names of folders that it comes as, beside the last part of `folder`.
    """

    folder: str
    origin: str
    archives: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()

    def is_there(self, root: Path) -> bool:
        """Tell whether the folder has something in it."""
        place = root / self.folder
        return place.is_dir() and any(place.iterdir())


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many refs, expressions and images; None is not known."""

    refs: int | None = None
    expressions: int | None = None
    images: int | None = None

    def differences(self, found: Counts) -> list[str]:
        """Say, in words, where `found` is not what is known."""
        pairs = {name: (known, getattr(found, name)) for name, known in vars(self).items()}
        return [
            f"{name}: {number:,} found, {known:,} expected"
            for name, (known, number) in pairs.items()
            if known is not None and known != number
        ]


@dataclass(frozen=True, kw_only=True)
class Split:
    """A part of a benchmark.

    Args:
        name: How the tools call it.
        options: Arguments of the reader that select it.
        counts: What the official files hold.
        training: Whether models are trained on it.
    """

    name: str
    options: Mapping[str, Any]
    counts: Counts = Counts()
    training: bool = False


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """A benchmark as its official pages describe it.

    Args:
        name: Sub-command of tools/prepare_data.py.
        title: What people call it.
        bundles: Annotation files.
        images: Folders of images.
        reader: Config of the dataset, but for the split.
        splits: The parts.
        total: Counts of all splits together, where no more is known.
        shares_images: Groups of splits (by the part of their name before the slash) of which
            several hold the same images, by design.
        world_reader: Arguments of the reader that differ on generated data.
        world_splits: Splits of generated data, where they are others.
    """

    name: str
    title: str
    bundles: tuple[AnnotationFiles, ...]
    images: tuple[ImageFolder, ...]
    reader: Mapping[str, Any]
    splits: tuple[Split, ...]
    total: Counts = Counts()
    shares_images: frozenset[str] = frozenset()
    world_reader: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    world_splits: tuple[Split, ...] = ()

    def splits_at(self, root: Path) -> tuple[Split, ...]:
        """Return the splits that the data at `root` should have."""
        return self.world_splits if self.world_splits and is_world(root) else self.splits

    def dataset(self, root: Path, split: Split, **options: Any) -> GroundingDataset:
        """Return the reader of a split, which has read nothing yet.

        Args:
            root: Data root.
            split: One of `splits`.
            options: Further arguments of the reader.
        """
        config = {**self.reader, **split.options, "data_root": str(root), "lazy_init": True}
        if is_world(root):
            config |= {"image_root": WORLD_IMAGES, **self.world_reader}
        return DATASETS.build({**config, **options})

    def split(self, name: str, root: Path) -> Split:
        """Return the split of that name.

        Raises:
            ValueError: There is none.
        """
        splits = {split.name: split for split in self.splits_at(root)}
        if name not in splits:
            raise ValueError(f"{self.name} has no split {name!r}; it has: {', '.join(splits)}")
        return splits[name]

    @property
    def own_folders(self) -> list[str]:
        """Folders that hold annotations, under the data root."""
        return [b.folder for b in self.bundles] or [i.folder for i in self.images]

    def missing_files(self, root: Path) -> list[str]:
        """Return the annotations that are not there, as paths under `root`."""
        if not self.bundles:
            return self.missing_images(root)
        return [path for bundle in self.bundles for path in bundle.missing(root)]

    def missing_images(self, root: Path) -> list[str]:
        """Return the folders of images that are not there, as paths under `root`."""
        if is_world(root) and self.bundles:
            return [] if (root / WORLD_IMAGES).is_dir() else [WORLD_IMAGES]
        return [images.folder for images in self.images if not images.is_there(root)]


def is_world(root: Path) -> bool:
    """Tell whether the data at `root` are generated."""
    return (root / WORLD_FILE).is_file()
