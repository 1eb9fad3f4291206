"""Measure the speedup of grounding several expressions of an image in one shared pass.

    python tools/dev/mllm_speed.py --config configs/shapes/MLLMSeg-tiny-shapes.py
    python tools/dev/mllm_speed.py --config configs/refcoco/MLLMSeg-2B-refcoco.py --device cuda

Weights are random: neither speed nor agreement depends on them. For each number of expressions it
prints the time of one pass per expression and of a single pass for all, the ratio, and the largest
difference between mask probabilities.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from vgtoolbox.cli.arguments import add_cfg_options, add_device
from vgtoolbox.cli.errors import exit_on_user_error
from vgtoolbox.engine import choose_device, load_config, parse_options
from vgtoolbox.models.grounders import TokenGrounder
from vgtoolbox.registry import MODELS

WORDS = ("red", "small", "the left", "circle", "big blue", "square", "green", "the top", "yellow")


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", required=True, help="config of an MLLMSeg model")
    parser.add_argument("--counts", nargs="+", type=int, default=[1, 5, 20])
    parser.add_argument("--repeats", type=int, default=3, help="passes; the fastest counts")
    add_device(parser)
    add_cfg_options(parser)
    return parser.parse_args(argv)


def mask_probabilities(model: TokenGrounder, image: Tensor, expressions: Sequence[str]) -> Tensor:
    """Ground expressions in one image (1, 3, H, W) in one pass; return (N, H, W)."""
    encoded = model.encode({"images": image})
    answers = model.querier.ask("constrained", encoded.language, [list(expressions)])
    prepared = model.prepare(encoded, answers.reading, [])
    return model.decode(prepared, answers.tokens).sigmoid()


def one_by_one(model: TokenGrounder, image: Tensor, expressions: Sequence[str]) -> Tensor:
    """Ground expressions in one image with one pass per expression; return (N, H, W)."""
    return torch.cat([mask_probabilities(model, image, [each]) for each in expressions])


def fastest(run: Callable[..., Tensor], *arguments: Any, repeats: int) -> tuple[float, Tensor]:
    """Return the shortest time of a call in seconds, and its result."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = run(*arguments).cpu()  # waits for the device
        times.append(time.perf_counter() - start)
    return min(times), result


@torch.inference_mode()
def main(argv: Sequence[str] | None = None) -> None:
    """Measure both ways and print a table."""
    args = parse_args(argv)
    cfg = load_config(args.config, parse_options(args.cfg_options))
    device = choose_device(args.device)
    model = MODELS.build(cfg.model).eval().to(device)
    size = cfg.model.mllm.adapter.vision_config.image_size
    image = torch.randn(1, 3, size, size, device=device)
    table = Table("expressions", "one by one (s)", "shared (s)", "ratio", "largest difference")
    for count in args.counts:
        inputs = (model, image, [f"{WORDS[i % 9]} {WORDS[i // 9 % 9]}" for i in range(count)])
        alone, expected = fastest(one_by_one, *inputs, repeats=args.repeats)
        shared, found = fastest(mask_probabilities, *inputs, repeats=args.repeats)
        difference = float((found.float() - expected.float()).abs().max())
        ratio = f"{alone / shared:.1f}"
        table.add_row(str(count), f"{alone:.3f}", f"{shared:.3f}", ratio, f"{difference:.1e}")
    Console().print(table)
    if device.type == "cuda":
        print(f"memory: {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB")


if __name__ == "__main__":
    with exit_on_user_error():
        main()
