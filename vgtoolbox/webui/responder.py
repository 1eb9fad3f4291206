"""Answer the requests of the web page: check limits, run a model, draw images and write files."""

from __future__ import annotations

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
from vgtoolbox.utils.choices import check_choice
from vgtoolbox.utils.text import encode_json, escape_invisible
from vgtoolbox.visualization.drawing import RGBImage, stack
from vgtoolbox.visualization.heatmap import draw_heatmap
from vgtoolbox.visualization.overlay import Layer

# A question about a larger photo takes seconds for its masks, and the page serves many visitors.
# Results are scaled back; the command `infer` reads more pixels.
_MODEL_PIXELS = 2**21
# Pixels of all images of a response. The page shows them at a few hundred pixels each.
_DRAWN_PIXELS = 2**22
_KEPT_RESPONSES = 32
_RUN_LENGTHS = 3  # Z_RLE of zlib

TableRow = list[str | float]
TABLE_COLUMNS = ["expression", "target", "score", "x1", "y1", "x2", "y2"]


class PageError(ValueError):
    """A request that cannot be answered. The page shows the message unchanged."""


@dataclass(frozen=True)
class RequestLimits:
    """Limits of one request.

    Attributes:
        file_bytes: Largest size of an uploaded file in bytes.
        pixels: Largest number of pixels of an image.
        total_pixels: Largest product of the numbers of pixels and of expressions, which bounds the
            time that one request takes.
        expressions: Largest number of expressions.
        characters: Largest number of characters of all expressions together.
    """

    file_bytes: int = 32 * 2**20
    pixels: int = 60_000_000
    total_pixels: int = 100_000_000
    expressions: int = 8
    characters: int = 10_000


@dataclass(frozen=True)
class PageResponse:
    """Response to one request.

    Attributes:
        images: One image per expression, with its summary.
        drawn_files: PNG file of each of them.
        rows: One table row per target, with the columns `TABLE_COLUMNS`.
        summary: Markdown list with one line per expression; says if there is no target.
        image_file: PNG file of all images.
        result_file: JSON file with a list of the records of `predictions.jsonl`.
    """

    images: list[tuple[RGBImage, str]]
    drawn_files: list[Path]
    rows: list[TableRow]
    summary: str
    image_file: Path
    result_file: Path


class Responder:
    """Answers requests one at a time. A model stays loaded until another one is chosen.

    Args:
        models: Functions that build an inferencer, by the name that the page shows.
        limits: Limits of a request. If `None`, the defaults are used.
        folder: Existing folder for the files of the page. If `None`, a temporary folder is used.
            `close` removes it.
    """

    def __init__(
        self,
        models: Mapping[str, Callable[[], GroundingInferencer]],
        limits: RequestLimits | None = None,
        *,
        folder: Path | None = None,
    ) -> None:
        self.models = dict(models)
        self.limits = limits or RequestLimits()
        self._lock = threading.Lock()
        self._loaded: tuple[str, GroundingInferencer] | None = None
        self._folder = folder or Path(tempfile.mkdtemp(prefix="vgtoolbox-web-")).resolve()
        self._answers = self._folder / "answers"
        self._answers.mkdir()
        self.files_folder = self._folder / "files"
        self.files_folder.mkdir()
        self._kept: deque[Path] = deque()

    def respond(
        self,
        image_file: str | Path | None,
        text: str,
        *,
        model: str,
        score_thr: float | None,
        layers: Collection[Layer],
        attention: bool = False,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> PageResponse:
        """Answer a request.

        Args:
            image_file: Path of the uploaded file. `None` if nothing was uploaded.
            text: Expressions, one per line.
            model: Name of the model, one of `models`.
            score_thr: Score threshold in [0, 1]; instances above it are targets. If `None`, the
                model's own threshold is used.
            layers: Layers to draw.
            attention: Whether to draw on the attention map instead of the plain image.
            is_wanted: Function that returns whether the visitor still waits for the response.

        Raises:
            PageError: A limit is exceeded, the file is not an image, or the model is unknown or
                lacks an attention map or a score threshold.
        """
        expressions = self._read_expressions(text)
        path = self._check_file(image_file)
        with self._lock:
            inferencer = self._load(model)
            try:
                original = read_image(path, max_pixels=self.limits.pixels)
                size = (original.shape[0], original.shape[1])
                self._check_total(size, len(expressions))
                image = downscale_to_limit(original, _MODEL_PIXELS)
                del original
                pairs = [(image, expression) for expression in expressions]
                prepared = inferencer.preprocess(
                    pairs, names=[escape_invisible(path.name)] * len(pairs)
                )
                results = []
                for pair in prepared:
                    if not is_wanted():
                        raise PageError("the visitor has left")
                    (result,) = inferencer.predict([pair], score_thr=score_thr)
                    results.append(result.resized(size))
            except (OSError, ValueError) as error:
                raise PageError(_hide_folder(str(error), path)) from error
            drawn_pixels = min(_MODEL_PIXELS, _DRAWN_PIXELS // len(results))
            backgrounds = [downscale_to_limit(image, drawn_pixels)] * len(results)
            if attention:
                maps = attention_maps(inferencer, prepared)
                if maps is None:
                    raise PageError(f"{model} has no attention map")
                backgrounds = [draw_heatmap(b, m) for b, m in zip(backgrounds, maps, strict=True)]
        drawn = [
            result.plot(background, layers=layers)
            for background, result in zip(backgrounds, results, strict=True)
        ]
        return self._pack(results, drawn)

    def inferencer(self, model: str) -> GroundingInferencer:
        """Return the inferencer of a model; load it if necessary.

        Raises:
            PageError: The model is unknown.
        """
        with self._lock:
            return self._load(model)

    def close(self) -> None:
        """Remove the files of all responses."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _load(self, name: str) -> GroundingInferencer:
        if self._loaded is None or self._loaded[0] != name:
            try:
                check_choice("model", name, self.models)
            except ValueError as error:
                raise PageError(str(error)) from error
            self._loaded = None  # the device may not have memory for two models at once
            self._loaded = (name, self.models[name]())
        return self._loaded[1]

    def _read_expressions(self, text: str) -> list[str]:
        if len(text) > self.limits.characters:
            raise PageError(
                f"the text must have at most {self.limits.characters:,} characters, "
                f"got {len(text):,}"
            )
        expressions = [line.strip() for line in text.splitlines() if line.strip()]
        if not expressions:
            raise PageError("enter at least one expression, one per line")
        if len(expressions) > self.limits.expressions:
            raise PageError(
                f"a request must have at most {self.limits.expressions} expressions, "
                f"got {len(expressions)}"
            )
        return expressions

    def _check_total(self, size: tuple[int, int], expressions: int) -> None:
        pixels = size[0] * size[1]
        if pixels * expressions > self.limits.total_pixels:
            allowed = max(1, self.limits.total_pixels // pixels)
            raise PageError(
                f"an image of {pixels / 1e6:.0f} million pixels allows {allowed} expressions, got "
                f"{expressions}; enter fewer, or downscale the image"
            )

    def _check_file(self, image_file: str | Path | None) -> Path:
        if not image_file:
            raise PageError("choose an image first")
        path = Path(image_file)
        if not path.is_file():
            raise PageError("the image is no longer on the server; upload it again")
        size = path.stat().st_size
        if size > self.limits.file_bytes:
            limit = self.limits.file_bytes / 2**20
            raise PageError(
                f"the file must have at most {limit:.1f} MiB, got {size / 2**20:.1f} MiB"
            )
        return path

    def _pack(self, results: Sequence[GroundingResult], images: Sequence[RGBImage]) -> PageResponse:
        folder = Path(tempfile.mkdtemp(dir=self._answers))
        with self._lock:
            self._kept.append(folder)
            while len(self._kept) > _KEPT_RESPONSES:
                shutil.rmtree(self._kept.popleft(), ignore_errors=True)
        image_file, result_file = folder / "grounding.png", folder / "grounding.json"
        _save_png(stack(list(images), gap=8), image_file)
        drawn_files = [image_file]
        if len(images) > 1:
            drawn_files = [folder / f"{number}.png" for number in range(1, len(images) + 1)]
            for image, file in zip(images, drawn_files, strict=True):
                _save_png(image, file)
        records = [result.to_dict() for result in results]
        result_file.write_bytes(encode_json(records, indent=1))
        summaries = [_summarize(result) for result in results]
        return PageResponse(
            images=list(zip(images, summaries, strict=True)),
            drawn_files=drawn_files,
            rows=[row for result in results for row in _rows(result)],
            summary="\n".join(f"- {summary}" for summary in summaries),
            image_file=image_file,
            result_file=result_file,
        )


def _save_png(image: RGBImage, file: Path) -> None:
    # The defaults take more than twice as long, for photos of about the same size.
    Image.fromarray(image).save(file, compress_level=1, compress_type=_RUN_LENGTHS)


def _hide_folder(message: str, path: Path) -> str:
    """Remove the folder in which the server stores uploads from a message."""
    return escape_invisible(message.replace(str(path), path.name), keep="\n")


def _summarize(result: GroundingResult) -> str:
    text = result.expression if len(result.expression) < 80 else f"{result.expression[:79]}…"
    if result.no_target:
        return f"“{text}”: no target in this image (existence {result.existence:.2f})"
    count = len(result)
    found = "a mask without instances" if count == 0 else f"{count} found"
    return f"“{text}”: {found} (existence {result.existence:.2f})"


def _rows(result: GroundingResult) -> list[TableRow]:
    rows: list[TableRow] = []
    for number, target in enumerate(result, start=1):
        corners = [round(value, 1) for value in target.box_xyxy]
        rows.append([result.expression, number, round(target.score, 3), *corners])
    return rows
