"""What the page does, without the page: models by name, limits, answers as pictures and files."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from vgtoolbox.inference.attention import attention_maps
from vgtoolbox.inference.inferencer import GroundingInferencer
from vgtoolbox.inference.inputs.images import downscale_to_limit, read_image
from vgtoolbox.inference.results.result import GroundingResult
from vgtoolbox.visualization.drawing import RGBImage, stack
from vgtoolbox.visualization.heat import draw_heat
from vgtoolbox.visualization.overlay import Layer

# The page shows pictures at a few hundred pixels; a download need not be larger than this.
_SHOWN_PIXELS = 2**22
_ANSWERS_KEPT = 32

Row = list[str | float]
COLUMNS = ["expression", "target", "score", "x1", "y1", "x2", "y2"]


class PageError(ValueError):
    """What a visitor did that the page can not answer; the message is shown as it is."""


@dataclass(frozen=True)
class Limits:
    """What a visitor may ask at once."""

    file_bytes: int = 32 * 2**20
    pixels: int = 60_000_000
    expressions: int = 8
    characters: int = 10_000


@dataclass(frozen=True)
class Answer:
    """What the page shows.

    Attributes:
        pictures: One an expression, with its verdict.
        rows: One a target, as `COLUMNS` says.
        verdict: In words; says plainly where there is no target.
        image_file: PNG of the pictures.
        result_file: JSON, the lines of `predictions.jsonl`.
    """

    pictures: list[tuple[RGBImage, str]]
    rows: list[Row]
    verdict: str
    image_file: Path
    result_file: Path


class Responder:
    """Answer visitors, one at a time, with a model that stays loaded until another is chosen.

    Args:
        models: Makers of inferencers by the name that the page shows.
        limits: Of a question.
    """

    def __init__(
        self,
        models: Mapping[str, Callable[[], GroundingInferencer]],
        limits: Limits | None = None,
    ) -> None:
        self.models = dict(models)
        self.limits = limits or Limits()
        self._lock = threading.Lock()
        self._loaded: tuple[str, GroundingInferencer] | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="vgtoolbox-web-"))
        self._kept: deque[Path] = deque()

    def answer(
        self,
        image_file: str | Path | None,
        text: str,
        *,
        model: str,
        score_thr: float | None,
        layers: Collection[Layer],
        attention: bool = False,
    ) -> Answer:
        """Answer a question.

        Args:
            image_file: What was uploaded.
            text: Expressions, one a line.
            model: One of `models`.
            score_thr: Instances above it are targets; None takes the model's own.
            layers: What is drawn.
            attention: Show where the model looked, in place of the bare picture.

        Raises:
            PageError: A limit is passed, or the file is no image.
        """
        expressions = self._read_expressions(text)
        path = self._check_file(image_file)
        with self._lock:
            inferencer = self._load(model)
            try:
                picture = read_image(path, max_pixels=self.limits.pixels)
                pairs = [(picture, expression) for expression in expressions]
                prepared = inferencer.preprocess(pairs, names=[path.name] * len(pairs))
                results = [
                    result
                    for pair in prepared
                    for result in inferencer.predict([pair], score_thr=score_thr)
                ]
            except (OSError, ValueError) as error:
                raise PageError(self._public(str(error), path)) from error
            ground = [downscale_to_limit(picture, _SHOWN_PIXELS)] * len(results)
            if attention:
                maps = attention_maps(inferencer, prepared)
                if maps is None:
                    raise PageError(f"{model} has no attention map")
                ground = [draw_heat(g, m) for g, m in zip(ground, maps, strict=True)]
        pictures = [
            result.plot(image, layers=layers) for image, result in zip(ground, results, strict=True)
        ]
        return self._pack(results, pictures)

    def inferencer(self, model: str) -> GroundingInferencer:
        """Return the inferencer of that name, loaded."""
        with self._lock:
            return self._load(model)

    def close(self) -> None:
        """Remove the files of all answers."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _load(self, name: str) -> GroundingInferencer:
        if self._loaded is None or self._loaded[0] != name:
            if name not in self.models:
                raise PageError(f"no model {name!r}; there are {', '.join(self.models)}")
            self._loaded = None  # two models at once may be more than the device holds
            self._loaded = (name, self.models[name]())
        return self._loaded[1]

    def _read_expressions(self, text: str) -> list[str]:
        if len(text) > self.limits.characters:
            raise PageError(
                f"{len(text):,} characters are too many; "
                f"at most {self.limits.characters:,} are read"
            )
        found = [line.strip() for line in text.splitlines() if line.strip()]
        if not found:
            raise PageError("type what to look for, one expression a line")
        if len(found) > self.limits.expressions:
            raise PageError(
                f"{len(found)} expressions are too many; at most {self.limits.expressions} at once"
            )
        return found

    def _check_file(self, image_file: str | Path | None) -> Path:
        if not image_file:
            raise PageError("choose a picture first")
        path = Path(image_file)
        if not path.is_file():
            raise PageError("the picture is no longer there; upload it again")
        size = path.stat().st_size
        if size > self.limits.file_bytes:
            limit = self.limits.file_bytes / 2**20
            raise PageError(
                f"the file has {size / 2**20:.0f} MiB; at most {limit:.0f} MiB are taken"
            )
        return path

    def _public(self, message: str, path: Path) -> str:
        """Leave out of a message where the server keeps its files."""
        return message.replace(str(path), path.name)

    def _pack(self, results: Sequence[GroundingResult], pictures: Sequence[RGBImage]) -> Answer:
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        with self._lock:
            self._kept.append(folder)
            while len(self._kept) > _ANSWERS_KEPT:
                shutil.rmtree(self._kept.popleft(), ignore_errors=True)
        image_file, result_file = folder / "grounding.png", folder / "grounding.json"
        Image.fromarray(stack(list(pictures), gap=8)).save(image_file)
        records = [result.to_dict() for result in results]
        result_file.write_text(
            json.dumps(records, ensure_ascii=False, allow_nan=False, indent=1), encoding="utf-8"
        )
        verdicts = [_verdict(result) for result in results]
        return Answer(
            pictures=list(zip(pictures, verdicts, strict=True)),
            rows=[row for result in results for row in _rows(result)],
            verdict="\n".join(f"- {verdict}" for verdict in verdicts),
            image_file=image_file,
            result_file=result_file,
        )


def _verdict(result: GroundingResult) -> str:
    shown = result.expression if len(result.expression) < 80 else f"{result.expression[:79]}…"
    if result.no_target:
        return f"“{shown}”: no target in this picture (existence {result.existence:.2f})"
    count = len(result)
    found = "a mask, no single instance" if count == 0 else f"{count} found"
    return f"“{shown}”: {found} (existence {result.existence:.2f})"


def _rows(result: GroundingResult) -> list[Row]:
    rows: list[Row] = []
    for number, target in enumerate(result, start=1):
        corners = [round(value, 1) for value in target.box_xyxy]
        rows.append([result.expression, number, round(target.score, 3), *corners])
    return rows
