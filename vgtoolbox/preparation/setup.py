"""Set up the folders of a benchmark from downloaded archives and folders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from vgtoolbox.preparation.benchmark import AnnotationFiles, Benchmark, ImageFolder
from vgtoolbox.preparation.catalog import known_folder_names
from vgtoolbox.preparation.containers import (
    Container,
    FolderContainer,
    archive_stem,
    copy_file,
    find_archives,
    open_archive,
)
from vgtoolbox.utils.atomic_file import atomic_folder
from vgtoolbox.utils.text_files import GZIP_SUFFIX, plain_suffix


@dataclass(frozen=True)
class PlacedFolder:
    """Folder that was set up.

    Args:
        folder: Folder under the data root.
        source: Folders or archives that it was set up from.
    """

    folder: str
    source: str


@dataclass(frozen=True)
class _Candidate:
    """Folder of a container with all files of a benchmark's `AnnotationFiles`."""

    container: Container
    names: dict[str, PurePosixPath]
    folder_name: str

    def __str__(self) -> str:
        folder = next(iter(self.names.values())).parent
        return str(self.container.path / folder)


def setup_benchmark(benchmark: Benchmark, source: Path, root: Path) -> list[PlacedFolder]:
    """Set up the missing folders of a benchmark under `root` from the files in `source`.

    Annotations are copied or unpacked under the names that the readers expect. Image archives are
    unpacked, and image folders are linked in place. Files in a folder with the name of another
    benchmark are not used. Existing folders are not changed, and no folder is set up partially.

    Args:
        benchmark: Benchmark to set up.
        source: Folder with archives and folders, which is searched recursively.
        root: Data root.

    Returns:
        The folders that were set up.

    Raises:
        FileNotFoundError: `source` is not a folder.
        ValueError: An archive is damaged, or several folders match.
    """
    if not source.is_dir():
        raise FileNotFoundError(f"source must be the folder with your files, got {source}")
    done = []
    missing = [files for files in benchmark.annotation_files if files.missing(root)]
    with ExitStack() as stack:
        containers: list[Container] = []
        if missing:
            image_archives = {name for images in benchmark.images for name in images.archives}
            paths = [path for path in find_archives(source) if path.name not in image_archives]
            archives = [stack.enter_context(open_archive(path)) for path in paths]
            containers = [FolderContainer(source), *archives]
        for files in missing:
            candidate = _choose(files, containers)
            if candidate is not None:
                with atomic_folder(root / files.folder) as folder:
                    for name, found in candidate.names.items():
                        copy_file(candidate.container, found, folder / name)
                done.append(PlacedFolder(files.folder, str(candidate)))
    for images in benchmark.images:
        if not images.exists(root):
            done += _setup_images(images, source, root)
    return done


def _choose(files: AnnotationFiles, containers: list[Container]) -> _Candidate | None:
    """Return the folder with a matching name, or the only one without the name of a benchmark."""
    candidates = [found for container in containers for found in _candidates(files, container)]
    known_names = known_folder_names()
    matching = [found for found in candidates if found.folder_name in files.folder_names]
    others = [found for found in candidates if found.folder_name not in known_names]
    chosen = matching or others
    if len(chosen) > 1:
        raise _ambiguous(files.folder, chosen)
    return chosen[0] if chosen else None


def _candidates(annotations: AnnotationFiles, container: Container) -> Iterator[_Candidate]:
    """Yield the folders of a container that contain each of the files under one of its names."""
    folders: dict[PurePosixPath, dict[str, PurePosixPath]] = {}
    for path in container.names():
        folders.setdefault(path.parent, {})[path.name] = path
    for folder, files in folders.items():
        names = {}
        for name, others in annotations.names.items():
            accepted = [n + end for n in (name, *others) for end in ("", GZIP_SUFFIX)]
            found = next((n for n in accepted if n in files), None)
            if found is not None:
                is_same_format = plain_suffix(Path(found)) == Path(name).suffix
                placed = name if is_same_format else found.removesuffix(GZIP_SUFFIX)
                end = GZIP_SUFFIX if found.endswith(GZIP_SUFFIX) else ""
                names[placed + end] = files[found]
        if len(names) == len(annotations.names):
            yield _Candidate(container, names, folder.name or archive_stem(container.path))


def _setup_images(images: ImageFolder, source: Path, root: Path) -> Iterator[PlacedFolder]:
    """Unpack the archives of an image folder, or link the folder."""
    place = root / images.folder
    archives = [path for path in find_archives(source) if path.name in images.archives]
    if len({path.name for path in archives}) == len(images.archives) > 0:
        with atomic_folder(place) as folder:
            for path in archives:
                _unpack(path, folder)
        yield PlacedFolder(images.folder, ", ".join(map(str, archives)))
        return
    names = {Path(images.folder).name, *images.aliases}
    folders = [p for p in sorted(source.rglob("*")) if p.is_dir() and p.name in names]
    filled = [p for p in folders if any(file.is_file() for file in p.iterdir())]
    if len(filled) > 1:
        raise _ambiguous(images.folder, filled)
    if filled and filled[0].resolve() != place.resolve():
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.is_dir():
            place.rmdir()  # empty, since `images.exists` is False
        place.symlink_to(filled[0].resolve(), target_is_directory=True)
        yield PlacedFolder(images.folder, f"{filled[0]} (linked)")


def _ambiguous(folder: str, matches: Iterable[object]) -> ValueError:
    listed = "\n  ".join(map(str, matches))
    return ValueError(
        f"{folder} must match a single folder; keep one of the following:\n  {listed}"
    )


def _unpack(path: Path, folder: Path) -> None:
    """Unpack the files of an archive without the top folder, if all of them are in one."""
    with open_archive(path) as container:
        names = container.names()
        shared = {name.parts[0] for name in names}
        depth = 1 if len(shared) == 1 and all(len(name.parts) > 1 for name in names) else 0
        for name in names:
            parts = name.parts[depth:]
            if name.is_absolute() or ".." in parts:
                raise ValueError(f"{path}: the member {name} would be unpacked outside the folder")
            target = folder.joinpath(*parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            copy_file(container, name, target)
