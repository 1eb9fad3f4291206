"""From what a user has, archives and folders in any order, to the tree that the readers expect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from vgtoolbox.preparation.benchmark import AnnotationFiles, Benchmark, ImageFolder
from vgtoolbox.preparation.containers import (
    Container,
    FolderContainer,
    copy_file,
    find_archives,
    open_archive,
    stem,
)
from vgtoolbox.utils.atomic_file import atomic_folder


@dataclass(frozen=True)
class BenchmarkSetup:
    """Something that was put in its place, and where it came from."""

    place: str
    origin: str


@dataclass(frozen=True)
class _Candidate:
    """A folder that holds all files of a bundle."""

    container: Container
    names: dict[str, PurePosixPath]
    label: str

    def __str__(self) -> str:
        folder = next(iter(self.names.values())).parent
        return str(self.container.path / folder)


def arrange(
    benchmark: Benchmark, source: Path, root: Path, *, known_labels: Iterable[str]
) -> list[BenchmarkSetup]:
    """Put what is missing of a benchmark under `root`, from what is in `source`.

    Annotations are copied or unpacked, under the names that the readers look for. Archives of
    images are unpacked; a folder of images is linked, where it stands. What is there is left
    alone, and nothing appears in part.

    Args:
        benchmark: What to look for.
        source: Folder with archives and folders, however deep.
        root: Data root.
        known_labels: Names of the folders of all benchmarks: files of one that is named as another
            are not taken.

    Raises:
        FileNotFoundError: There is no `source`.
        ValueError: An archive is broken, or several folders could be meant.
    """
    if not source.is_dir():
        raise FileNotFoundError(f"{source} is no folder; name the one that your files are in")
    done = []
    wanted = [bundle for bundle in benchmark.bundles if bundle.missing(root)]
    with ExitStack() as stack:
        containers: list[Container] = []
        if wanted:
            of_images = {name for images in benchmark.images for name in images.archives}
            paths = [path for path in find_archives(source) if path.name not in of_images]
            archives = [stack.enter_context(open_archive(path)) for path in paths]
            containers = [FolderContainer(source), *archives]
        for bundle in wanted:
            candidate = _choose(bundle, containers, frozenset(known_labels))
            if candidate is not None:
                with atomic_folder(root / bundle.folder) as place:
                    for name, found in candidate.names.items():
                        copy_file(candidate.container, found, place / name)
                done.append(BenchmarkSetup(bundle.folder, str(candidate)))
    for images in benchmark.images:
        if not images.is_there(root):
            done += _arrange_images(images, source, root)
    return done


def _choose(
    bundle: AnnotationFiles, containers: list[Container], known_labels: frozenset[str]
) -> _Candidate | None:
    """Return the folder that is meant: named as the bundle, or the only one of no other's name."""
    candidates = [found for container in containers for found in _candidates(bundle, container)]
    labelled = [found for found in candidates if found.label in bundle.known_as]
    unnamed = [found for found in candidates if found.label not in known_labels]
    chosen = labelled or unnamed
    if len(chosen) > 1:
        places = "\n  ".join(map(str, chosen))
        raise ValueError(f"{bundle.folder} may be any of these; leave one:\n  {places}")
    return chosen[0] if chosen else None


def _candidates(bundle: AnnotationFiles, container: Container) -> Iterator[_Candidate]:
    """Yield the folders of a container that hold all files of the bundle, under one name each."""
    folders: dict[PurePosixPath, dict[str, PurePosixPath]] = {}
    for path in container.names():
        folders.setdefault(path.parent, {})[path.name] = path
    for folder, files in folders.items():
        names = {}
        for name, others in bundle.files.items():
            found = next((n for n in (name, *others) if n in files), None)
            if found is not None:
                is_same_format = Path(found).suffix == Path(name).suffix
                names[name if is_same_format else found] = files[found]
        if len(names) == len(bundle.files):
            yield _Candidate(container, names, folder.name or stem(container.path))


def _arrange_images(images: ImageFolder, source: Path, root: Path) -> Iterator[BenchmarkSetup]:
    """Unpack the archives of a folder of images, or link the folder."""
    place = root / images.folder
    archives = [path for path in find_archives(source) if path.name in images.archives]
    if len({path.name for path in archives}) == len(images.archives) > 0:
        with atomic_folder(place) as folder:
            for path in archives:
                _unpack(path, folder)
        yield BenchmarkSetup(images.folder, ", ".join(map(str, archives)))
        return
    labels = {Path(images.folder).name, *images.labels}
    folders = [p for p in sorted(source.rglob("*")) if p.is_dir() and p.name in labels]
    filled = [p for p in folders if any(file.is_file() for file in p.iterdir())]
    if len(filled) > 1:
        places = "\n  ".join(map(str, filled))
        raise ValueError(f"{images.folder} may be any of these; leave one:\n  {places}")
    if filled and filled[0].resolve() != place.resolve():
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.is_dir():
            place.rmdir()  # it is empty, or there would be nothing to arrange
        place.symlink_to(filled[0].resolve(), target_is_directory=True)
        yield BenchmarkSetup(images.folder, f"{filled[0]} (linked)")


def _unpack(path: Path, folder: Path) -> None:
    """Unpack an archive's files below the folder that they all share, if they do."""
    with open_archive(path) as container:
        names = container.names()
        shared = {name.parts[0] for name in names}
        depth = 1 if len(shared) == 1 and all(len(name.parts) > 1 for name in names) else 0
        for name in names:
            parts = name.parts[depth:]
            if name.is_absolute() or ".." in parts:
                raise ValueError(f"{path}: the member {name} would land outside the folder")
            target = folder.joinpath(*parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            copy_file(container, name, target)
