"""Open a page to play with: upload a picture, type expressions, see boxes and masks.

    python tools/webui.py [--model NAME | --config CONFIG --checkpoint CKPT] [--port 7860]
                          [--device auto] [--cfg-options k=v ...]

It is served to this machine alone. Without a model: all of the zoo whose weights are present.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

from vgtoolbox.cli.errors import exit_on_user_error
from vgtoolbox.engine import parse_options
from vgtoolbox.inference import GroundingInferencer
from vgtoolbox.webui import Responder
from vgtoolbox.webui.page import build_page, find_examples, launch_page
from vgtoolbox.zoo import ROOT, read_zoo

EXAMPLES = ROOT / "data" / "shapes" / "images"
EXAMPLE_TEXTS = ("every circle", "the biggest thing")


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Open a page to play with.")
    model = parser.add_mutually_exclusive_group()
    model.add_argument("--model", metavar="NAME", help="of the zoo; default: all with weights")
    model.add_argument("--config", help="default: the one that the checkpoint carries")
    parser.add_argument("--checkpoint", metavar="CKPT")
    parser.add_argument("--port", type=int, help="default: a free one from 7860 on")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:<n> or mps")
    parser.add_argument("--cfg-options", nargs="+", default=[], metavar="K=V")
    return parser.parse_args(words)


def chosen_models(arguments: argparse.Namespace) -> dict[str, Callable[[], GroundingInferencer]]:
    """Return makers of the models that the arguments name, by what the page calls them.

    Raises:
        FileNotFoundError: No model has its weights on this machine.
    """
    options = parse_options(arguments.cfg_options)
    make = partial(GroundingInferencer, device=arguments.device, options=options)
    config, checkpoint = arguments.model or arguments.config, arguments.checkpoint
    if config or checkpoint:
        name = arguments.model or Path(checkpoint or config).stem
        return {name: partial(make, config, checkpoint)}
    present: dict[str, Callable[[], GroundingInferencer]] = {}
    for model in read_zoo().values():
        try:
            model.find_weights()
        except FileNotFoundError:
            continue
        present[model.name] = partial(make, model.name)
    if not present:
        raise FileNotFoundError("no model has its weights here: vgtoolbox doctor says where to put")
    return present


def main(words: list[str] | None = None) -> None:
    """Serve until interrupted."""
    arguments = parse_arguments(words)
    responder = Responder(chosen_models(arguments))
    try:
        page = build_page(responder, examples=find_examples(EXAMPLES, EXAMPLE_TEXTS))
        launch_page(page, port=arguments.port, max_file_bytes=responder.limits.file_bytes)
    finally:
        responder.close()


if __name__ == "__main__":
    with exit_on_user_error(OSError, ValueError, ImportError):
        main()
