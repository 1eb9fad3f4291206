"""Model zoo: the trained models with their numbers, configs and weights.

The facts come from `configs/<system>_metafile.yml`, one file per system. The table in the README,
`vgtoolbox zoo` and `GroundingInferencer("<name>")` read them here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from reprlib import repr as shorten
from typing import Any

import yaml

from vgtoolbox.utils.resources import resource_root

_PATTERN = "*_metafile.yml"
# Suffixes of the same weights: as published, and as `vgtoolbox convert` writes them.
_SUFFIXES = (".pth", ".safetensors")
_MAX_BYTES = 2**17
_NOT_MEASURED = "-"


class ZooError(ValueError):
    """A metafile is malformed; the message names file, model and key."""


class _MetafileLoader(yaml.SafeLoader):
    """Loader without aliases in anchored values, a few lines of which make a value of any size."""

    _open_anchors = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent) and self._open_anchors:
            raise yaml.YAMLError("an anchored value (&name) must not contain an alias (*name)")
        is_anchor = getattr(self.peek_event(), "anchor", None) is not None
        self._open_anchors += is_anchor
        node = super().compose_node(parent, index)
        self._open_anchors -= is_anchor
        return node


@dataclass(frozen=True)
class ZooResult:
    """One metric of one model on the splits of one dataset, in percent.

    Attributes:
        data: Name of the dataset.
        metric: Name of the metric.
        paper: Values reported in the paper, by split.
        ours: Values measured with these weights, by split.
    """

    data: str
    metric: str
    paper: Mapping[str, float]
    ours: Mapping[str, float]

    @property
    def splits(self) -> tuple[str, ...]:
        """Splits with a value."""
        return tuple({**self.paper, **self.ours})


@dataclass(frozen=True)
class ZooModel:
    """A trained model.

    Attributes:
        name: Name that `GroundingInferencer` accepts.
        system: Name of the published system.
        config: Config file.
        weights: Expected path of the weights.
        parameters: Number of parameters.
        results: Reported and measured values.
        page: Page where the weights are published; empty for weights that come with the package.
        published_as: Path of the file or folder on that page.
        options: Overrides of the config, by dotted key, for inference on a user's images, where the
            config is made for training or for a published protocol.
    """

    name: str
    system: str
    config: Path
    weights: Path
    parameters: int
    results: tuple[ZooResult, ...]
    page: str = ""
    published_as: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def find_weights(self) -> Path:
        """Return the path of the weights: a file, or a folder as some are published.

        `pretrain_weights/` of the current folder is searched first, then that of the package.

        Raises:
            FileNotFoundError: The weights are in neither; the message says where they are
                published.
        """
        local = Path("pretrain_weights", self.weights.name)
        for path in (local, self.weights):
            for candidate in (path, *(path.with_suffix(suffix) for suffix in _SUFFIXES)):
                if candidate.exists():
                    return candidate
        origin = f"{self.published_as} at {self.page}" if self.page else "a file of the repository"
        raise FileNotFoundError(
            f"the weights of {self.name} are not at {self.weights}: put {origin} there or at "
            f"{local}, or pass another checkpoint with the name of the model"
        )


def read_zoo(folder: str | Path | None = None) -> dict[str, ZooModel]:
    """Read all metafiles.

    Args:
        folder: Folder of the metafiles; paths in them are relative to its parent. If `None`, the
            `configs` of the package.

    Returns:
        Models by name, in the order of the files.

    Raises:
        ZooError: A file is malformed, or two models have the same name.
    """
    folder = Path(folder) if folder is not None else resource_root() / "configs"
    models: dict[str, ZooModel] = {}
    for file in sorted(folder.glob(_PATTERN)):
        for model in _read_metafile(file, folder.parent):
            if model.name in models:
                raise ZooError(f"{file}: {model.name} is already the name of another model")
            models[model.name] = model
    return models


def find_model(name: str, folder: str | Path | None = None) -> ZooModel:
    """Return the model with a name.

    Raises:
        FileNotFoundError: There is no such model; the message names the nearest.
    """
    models = read_zoo(folder)
    if name in models:
        return models[name]
    near = get_close_matches(name, models, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"models: {', '.join(models) or 'none'}"
    raise FileNotFoundError(f"no config file and no model {name!r}; {hint}")


def find_config(name: str | Path) -> Path:
    """Return the path of a config.

    Args:
        name: Path of a file, or name of a packaged config: its file name with or without `.py`, or
            its path below `configs/`.

    Raises:
        FileNotFoundError: There is no such config, or several packaged ones have the name; the
            message names the nearest or all of them.
    """
    path = Path(name)
    if path.is_file():
        return path
    folder = resource_root() / "configs"
    wanted = path.with_suffix("").parts
    wanted = wanted[1:] if wanted[:1] == ("configs",) else wanted
    packaged = {
        file: file.relative_to(folder).with_suffix("").parts
        for file in sorted(folder.rglob("*.py"))
        if "_base_" not in file.parts
    }
    found = [file for file, parts in packaged.items() if wanted and parts[-len(wanted) :] == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join("/".join(packaged[file]) for file in found)
        raise FileNotFoundError(f"several configs are called {str(name)!r}: {names}")
    siblings = [file.name for file in path.parent.glob("*.py")] if len(path.parts) > 1 else []
    near = get_close_matches(path.name, siblings, n=1)
    near = near or get_close_matches(path.stem, [parts[-1] for parts in packaged.values()], n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise FileNotFoundError(
        f"no config {name}: neither a file nor the name of a packaged config{hint}"
    )


def zoo_table(models: Sequence[ZooModel], *, first_only: bool = False) -> str:
    """Return a Markdown table with a line for each model, dataset and metric.

    Args:
        models: Models in the order of the table.
        first_only: Whether to keep only the first dataset and metric of each model.
    """
    lines = [
        "| model | data | metric | reported | ours |",
        "|---|---|---|---|---|",
    ]
    for model in models:
        shown = model.name
        results = model.results or (ZooResult("", "", {}, {}),)
        for result in results[:1] if first_only else results:
            data = f"{result.data} {' / '.join(result.splits)}".strip()
            cells = [shown, data, result.metric, _numbers(result.paper), _numbers(result.ours)]
            lines.append(f"| {' | '.join(cells)} |")
            shown = ""
    return "\n".join(lines) + "\n"


def _numbers(values: Mapping[str, float]) -> str:
    return " / ".join(map(str, values.values())) or _NOT_MEASURED


def _read_metafile(file: Path, root: Path) -> list[ZooModel]:
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise ZooError(f"{file} must have at most {_MAX_BYTES} bytes, as YAML is read slowly")
        content = yaml.load(file.read_bytes().decode("utf-8"), _MetafileLoader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ZooError(f"{file} is not valid YAML in UTF-8: {error}") from error
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        # PyYAML's constructors of numbers and dates do not check what they convert.
        raise ZooError(f"{file} has a value that YAML cannot represent: {error}") from error
    content = _mapping(content, str(file))
    system, page = _text(content, "system", str(file)), _optional(content, "page", str(file))
    entries = _list(content.get("models"), f"{file}: 'models'")
    return [_read_model(entry, file, root, system=system, page=page) for entry in entries]


def _read_model(entry: Any, file: Path, root: Path, *, system: str, page: str) -> ZooModel:
    entry = _mapping(entry, f"{file}: a model")
    name = entry.get("name", "(without a name)")
    where = f"{file}: model {name if isinstance(name, str) else shorten(name)}"
    known = {each.name for each in fields(ZooModel)} - {"system", "page"}
    unknown = set(entry) - known
    if unknown:
        found = min(map(repr, unknown))
        raise ZooError(f"{where}: unknown key {found}; known: {sorted(known)}")
    published_as = _optional(entry, "published_as", where)
    results = _list(entry.get("results", []), f"{where}: 'results'")
    return ZooModel(
        name=_text(entry, "name", where),
        system=system,
        config=root / _text(entry, "config", where),
        weights=root / _text(entry, "weights", where),
        parameters=_count(entry, "parameters", where),
        results=tuple(_read_result(result, where) for result in results),
        page=page if published_as else "",
        published_as=published_as,
        options=_mapping(entry.get("options", {}), f"{where}: options"),
    )


def _read_result(entry: Any, where: str) -> ZooResult:
    entry = _mapping(entry, f"{where}: a result")
    numbers: dict[str, dict[str, float]] = {}
    for key in ("paper", "ours"):
        values = _mapping(entry.get(key, {}), f"{where}: {key}")
        if not all(
            isinstance(value, int | float) and 0 <= value <= 100 for value in values.values()
        ):
            raise ZooError(f"{where}: {key} must hold percentages, got {shorten(values)}")
        numbers[key] = {str(split): float(value) for split, value in values.items()}
    return ZooResult(_text(entry, "data", where), _text(entry, "metric", where), **numbers)


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ZooError(f"{where} must be a mapping, got {shorten(value)}")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise ZooError(f"{where} must be a list, got {shorten(value)}")
    return value


def _count(entry: Mapping[str, Any], key: str, where: str) -> int:
    value = entry.get(key, 0)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ZooError(f"{where}: {key!r} must be a number of 0 or more, got {shorten(value)}")
    return value


def _text(entry: Mapping[str, Any], key: str, where: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        raise ZooError(f"{where}: {key!r} must be a non-empty text, got {shorten(value)}")
    return value


def _optional(entry: Mapping[str, Any], key: str, where: str) -> str:
    return _text(entry, key, where) if entry.get(key) else ""
