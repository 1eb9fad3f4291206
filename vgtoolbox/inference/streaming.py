"""Pairs to results, a batch at a time, with a file that a killed run goes on with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from vgtoolbox.inference.inputs.images import ImageReader, image_name
from vgtoolbox.inference.inputs.pairing import Pair, chunks
from vgtoolbox.inference.results.prediction_log import PredictionLog, remaining_pairs
from vgtoolbox.inference.results.schemas import GroundingResult, Task

if TYPE_CHECKING:
    from vgtoolbox.inference.inferencer import GroundingInferencer

OnError = Callable[[str, str, Exception], None]


def stream_answers(
    inferencer: GroundingInferencer,
    pairs: Sequence[Pair],
    *,
    tasks: Task = "auto",
    topk: int | None = None,
    out_file: str | os.PathLike[str] | None = None,
    on_error: OnError | None = None,
) -> Iterator[GroundingResult]:
    """Yield the answers to pairs; arguments as in `GroundingInferencer.stream`."""
    names = image_names(pairs)
    positions: Sequence[int] = range(len(pairs))
    with ExitStack() as stack:
        log = None
        if out_file is not None:
            asked = {"tasks": None if tasks == "auto" else tasks, "topk": topk}
            log = stack.enter_context(PredictionLog(out_file, {**inferencer.made_by, **asked}))
            positions = remaining_pairs(pairs, names, log.done())
        for batch in _batches(inferencer, pairs, names, positions, on_error):
            results = [result.reduced(tasks=tasks, topk=topk) for result in batch]
            if log is not None:
                log.append([result.to_dict() for result in results])
            yield from results


def image_names(pairs: Sequence[Pair]) -> list[str]:
    """Name the images of pairs; those without a path by their position among the images."""
    positions: dict[int, int] = {}
    names = []
    for image, _ in pairs:
        position = positions.setdefault(id(image), len(positions))
        names.append(image_name(image, position))
    return names


def _batches(
    inferencer: GroundingInferencer,
    pairs: Sequence[Pair],
    names: Sequence[str],
    positions: Sequence[int],
    on_error: OnError | None,
) -> Iterator[list[GroundingResult]]:
    """Answer the pairs at `positions`, a batch at a time."""
    read = ImageReader(inferencer.max_pixels)  # across batches: one image may fill several
    for batch in chunks(positions, inferencer.batch_size):
        prepared = []
        for position in batch:
            try:
                pair, name = pairs[position], names[position]
                prepared += inferencer.preprocess([pair], names=[name], read=read)
            except (OSError, ValueError, TypeError) as error:
                if on_error is None:
                    raise
                on_error(names[position], pairs[position][1], error)
        yield inferencer.answer(prepared)
