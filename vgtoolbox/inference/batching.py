"""Run pairs of image and expression in batches."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TypeVar

from vgtoolbox.inference.inputs.images import image_name
from vgtoolbox.inference.inputs.pairing import Pair, chunks

Prepared = TypeVar("Prepared")
Result = TypeVar("Result")
OnError = Callable[[str, str, Exception], None]


def run_batches(
    pairs: Sequence[Pair],
    names: Sequence[str],
    positions: Collection[int],
    *,
    prepare: Callable[[Pair, str], Prepared],
    predict: Callable[[list[Prepared]], list[Result]],
    batch_size: int,
    on_error: OnError | None = None,
) -> Iterator[list[Result]]:
    """Yield the results of one batch after another.

    A batch is formed from all pairs: a resumed run computes a batch that was partly written as a
    whole, because the other pairs of a batch change the last bits of a result.

    Args:
        pairs: All pairs.
        names: Name of each pair's image.
        positions: Positions of the pairs whose results are yielded.
        prepare: Function that decodes the image of a pair and makes the input of the model.
        predict: Function that runs the model on a batch.
        batch_size: Number of pairs in a batch.
        on_error: Function that is called with the name of the image, the expression and the error
            of a pair that cannot be prepared. If `None`, the error is raised.
    """
    wanted = frozenset(positions)
    for batch in chunks(range(len(pairs)), batch_size):
        if wanted.isdisjoint(batch):
            continue
        prepared = {}
        for position in batch:
            try:
                prepared[position] = prepare(pairs[position], names[position])
            except (OSError, ValueError, TypeError) as error:
                if position not in wanted:
                    continue
                if on_error is None:
                    raise
                on_error(names[position], pairs[position][1], error)
        results = predict(list(prepared.values()))
        yield [r for position, r in zip(prepared, results, strict=True) if position in wanted]


def image_names(pairs: Sequence[Pair]) -> list[str]:
    """Return the name of each pair's image; one without a path is named by its position."""
    positions: dict[int, int] = {}
    names = []
    for image, _ in pairs:
        position = positions.setdefault(id(image), len(positions))
        names.append(image_name(image, position))
    return names
