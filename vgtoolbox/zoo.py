"""The model zoo: which trained models there are, with what numbers, and where their files are.

Each system has a `configs/<system>_metafile.yml`, the one place where these facts stand: the table
of the README and `GroundingInferencer("<name>")` read them here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
_PATTERN = "*_metafile.yml"
# Files that hold the same weights: as published, and as tools/convert_checkpoint.py writes them.
_SUFFIXES = (".pth", ".safetensors")
_NOT_MEASURED = "-"


class ZooError(ValueError):
    """A metafile is not as it should be; the message names file, model and key."""


@dataclass(frozen=True)
class ZooResult:
    """One metric of one model on the splits of one data set, in percent.

    Attributes:
        data: Name of the data set.
        metric: Name of the metric.
        paper: As reported, by split.
        ours: As measured with these weights, by split.
    """

    data: str
    metric: str
    paper: Mapping[str, float]
    ours: Mapping[str, float]

    @property
    def splits(self) -> tuple[str, ...]:
        """Splits of which there is a number."""
        return tuple({**self.paper, **self.ours})


@dataclass(frozen=True)
class ZooModel:
    """A trained model.

    Attributes:
        name: What `GroundingInferencer` finds it by.
        system: Name of the published system.
        config: Its config file.
        weights: Where its weights are looked for.
        parameters: How many our model has.
        results: What it was measured, or is reported, to give.
        page: Where the weights are published; empty for what comes with the repository.
        published_as: Path of the file there, or of the folder.
        options: Overrides of the config, by dotted key, for asking a user's question: what a config
            of training or of a published protocol has otherwise.
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
        """Return the weights, as published (a file or a folder) or converted.

        Raises:
            FileNotFoundError: It is not there; the message says where it is published.
        """
        candidates = [self.weights, *(self.weights.with_suffix(suffix) for suffix in _SUFFIXES)]
        for path in candidates:
            if path.exists():
                return path
        origin = f"{self.published_as} at {self.page}" if self.page else "a file of the repository"
        raise FileNotFoundError(
            f"the weights of {self.name} are not at {self.weights}: put {origin} there, or name "
            "another checkpoint beside the model's name"
        )


def read_zoo(folder: str | Path | None = None) -> dict[str, ZooModel]:
    """Read all metafiles.

    Args:
        folder: That holds them; None is the repository's `configs`. Paths in them are relative to
            its parent.

    Returns:
        The models by name, in the order of the files.

    Raises:
        ZooError: A file is malformed, or two models have one name.
    """
    folder = Path(folder) if folder is not None else ROOT / "configs"
    models: dict[str, ZooModel] = {}
    for file in sorted(folder.glob(_PATTERN)):
        for model in _read_metafile(file, folder.parent):
            if model.name in models:
                raise ZooError(f"{file}: {model.name} is the name of another model already")
            models[model.name] = model
    return models


def find_model(name: str, folder: str | Path | None = None) -> ZooModel:
    """Return the model of that name.

    Raises:
        FileNotFoundError: There is none; the message names the nearest.
    """
    models = read_zoo(folder)
    if name in models:
        return models[name]
    near = get_close_matches(name, models, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"models: {', '.join(models) or 'none'}"
    raise FileNotFoundError(f"no config file and no model {name!r}; {hint}")


def zoo_table(models: Sequence[ZooModel], *, first_only: bool = False) -> str:
    """Return a Markdown table, a line for each model, data set and metric.

    Args:
        models: In this order.
        first_only: A line for each model: its first data set and metric.
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
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ZooError(f"{file} is no YAML: {error}") from error
    content = _mapping(content, str(file))
    system, page = _text(content, "system", str(file)), str(content.get("page", ""))
    entries = content.get("models")
    if not isinstance(entries, list):
        raise ZooError(f"{file}: expected a list 'models', found {entries!r}")
    return [_read_model(entry, file, root, system=system, page=page) for entry in entries]


def _read_model(entry: Any, file: Path, root: Path, *, system: str, page: str) -> ZooModel:
    entry = _mapping(entry, f"{file}: a model")
    where = f"{file}: model {entry.get('name', '(without a name)')}"
    known = {each.name for each in fields(ZooModel)} - {"system", "page"}
    unknown = set(entry) - known
    if unknown:
        raise ZooError(f"{where}: unknown key {sorted(unknown)[0]!r}; known: {sorted(known)}")
    published_as = str(entry.get("published_as", ""))
    return ZooModel(
        name=_text(entry, "name", where),
        system=system,
        config=root / _text(entry, "config", where),
        weights=root / _text(entry, "weights", where),
        parameters=int(entry.get("parameters", 0)),
        results=tuple(_read_result(result, where) for result in entry.get("results", ())),
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
            raise ZooError(f"{where}: {key} should hold percentages, found {values}")
        numbers[key] = {str(split): float(value) for split, value in values.items()}
    return ZooResult(_text(entry, "data", where), _text(entry, "metric", where), **numbers)


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ZooError(f"{where} should be a mapping, found {value!r}")
    return value


def _text(entry: Mapping[str, Any], key: str, where: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        raise ZooError(f"{where}: expected a text under {key!r}, found {value!r}")
    return value
