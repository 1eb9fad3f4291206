"""Check the installation, the device, the data and the weights."""

from __future__ import annotations

import argparse
import platform
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

import torch
from rich.console import Console
from rich.markup import escape

from vgtoolbox.engine.device import choose_device
from vgtoolbox.preparation import BENCHMARKS, Benchmark
from vgtoolbox.version import __version__
from vgtoolbox.zoo import read_zoo

State = Literal["good", "absent", "broken"]
_MARKS: dict[State, str] = {
    "good": "[green]ok[/]",
    "absent": "[yellow]--[/]",
    "broken": "[red]!![/]",
}
_REQUIREMENT = re.compile(r"^(?P<name>[\w.-]+)")
_EXTRA = re.compile(r"extra == ['\"](?P<extra>[\w-]+)['\"]")
_PACKAGE = "vgtoolbox"


@dataclass(frozen=True)
class Finding:
    """Result of one check.

    Attributes:
        subject: Package, dataset, model or other part that was checked.
        state: "good"; "absent" if the part is optional, "broken" if it is required.
        found: Description of the result.
        remedy: Next step; empty if none is needed.
    """

    subject: str
    state: State
    found: str
    remedy: str = ""


def run(arguments: argparse.Namespace) -> int:
    """Print the findings and return 1 if something is broken."""
    console = Console()
    if arguments.env:
        for name, version in environment().items():
            console.print(f"{name}: {version}", highlight=False, markup=False)
        return 0
    by_state: dict[State, list[Finding]] = {"good": [], "absent": [], "broken": []}
    for finding in examine(arguments.data_root):
        by_state[finding.state].append(finding)
        remedy = f"  [dim]{escape(finding.remedy)}[/]" if finding.remedy else ""
        line = f"{_MARKS[finding.state]} {escape(finding.subject)}: {escape(finding.found)}{remedy}"
        console.print(line, highlight=False, soft_wrap=True)
    console.print(f"\n{escape(next_step(by_state))}", highlight=False, soft_wrap=True)
    return 1 if by_state["broken"] else 0


def environment() -> dict[str, str]:
    """Return the versions that a bug report should state."""
    versions = {
        _PACKAGE: __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "device": str(choose_device("auto")),
    }
    if torch.cuda.is_available():
        versions["gpu"] = torch.cuda.get_device_name()
        versions["cuda"] = str(torch.version.cuda)
    return versions | {name: _version(name) or "-" for name in sorted(_requirements())}


def examine(data_root: Path) -> Iterator[Finding]:
    """Run all checks.

    Args:
        data_root: Folder of the benchmarks.
    """
    yield from check_packages()
    yield check_device()
    yield from check_worlds(data_root)
    yield from (check_data(benchmark, data_root) for benchmark in BENCHMARKS.values())
    yield from check_weights()


def check_packages() -> Iterator[Finding]:
    """Check the required packages; those of an extra may be absent."""
    for name, extra in sorted(_requirements().items()):
        version = _version(name)
        if version is not None:
            yield Finding(name, "good", version)
        elif extra:
            remedy = f"pip install 'vgtoolbox[{extra}]'"
            yield Finding(name, "absent", f"not installed (extra {extra})", remedy)
        else:
            yield Finding(name, "broken", "not installed", f"pip install {name}")


def check_device() -> Finding:
    """Check which device models run on."""
    device = choose_device("auto")
    if device.type == "cpu":
        remedy = "enough for the miniatures; a GPU is recommended for the published models"
        return Finding("device", "good", "cpu: no GPU was found", remedy)
    return Finding("device", "good", str(device))


def check_worlds(data_root: Path) -> Iterator[Finding]:
    """Check for the generated dataset."""
    is_present = (data_root / "shapes" / "statistics.json").is_file()
    if is_present:
        yield Finding("generated shapes", "good", str(data_root / "shapes"))
    else:
        remedy = f"vgtoolbox data shapes --out {data_root / 'shapes'}"
        yield Finding("generated shapes", "absent", f"not at {data_root / 'shapes'}", remedy)


def check_data(benchmark: Benchmark, data_root: Path) -> Finding:
    """Check that the files of a benchmark exist, without reading them."""
    missing = [*benchmark.missing_files(data_root), *benchmark.missing_images(data_root)]
    missing = list(dict.fromkeys(missing))
    if not missing:
        remedy = f"vgtoolbox data check {benchmark.name} --root {data_root}"
        return Finding(benchmark.title, "good", "all files are present", remedy)
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    remedy = f"vgtoolbox data {benchmark.name} --root {data_root}"
    return Finding(benchmark.title, "absent", f"no {missing[0]}{more}", remedy)


def check_weights() -> Iterator[Finding]:
    """Check for the weights of the zoo's models."""
    for model in read_zoo().values():
        try:
            yield Finding(model.name, "good", str(model.find_weights()))
        except FileNotFoundError as error:
            yield Finding(model.name, "absent", "no weights", str(error))


def next_step(findings: Mapping[State, list[Finding]]) -> str:
    """Return the recommended next step.

    Args:
        findings: Findings by state, with a list for each of the three states.
    """
    if findings["broken"]:
        return f"fix this first: {findings['broken'][0].remedy}"
    shapes = [f for f in findings["absent"] if f.subject == "generated shapes"]
    if shapes:
        return f"everything required is present. Begin with: {shapes[0].remedy}"
    return (
        "everything required is present. Try: vgtoolbox webui, or "
        "vgtoolbox demo --img photo.jpg --expression 'the red circle'"
    )


def _requirements() -> dict[str, str]:
    """Return the packages that the project requires, each with its extra, or "" for none."""
    try:
        lines = metadata.requires(_PACKAGE) or []
    except metadata.PackageNotFoundError:
        return {}
    found: dict[str, str] = {}
    for line in lines:
        name, extra = _REQUIREMENT.match(line), _EXTRA.search(line)
        if name and name["name"] != _PACKAGE:
            found.setdefault(name["name"], extra["extra"] if extra else "")
    return found


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
