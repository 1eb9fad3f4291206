"""Serve a web page to try models in the browser."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

from vgtoolbox.engine import parse_options
from vgtoolbox.inference import GroundingInferencer
from vgtoolbox.webui import Responder
from vgtoolbox.webui.page import build_page, find_examples, launch_page
from vgtoolbox.zoo import read_zoo

EXAMPLES = Path("data/shapes/images")
EXAMPLE_TEXTS = ("every circle", "the biggest thing")


def chosen_models(arguments: argparse.Namespace) -> dict[str, Callable[[], GroundingInferencer]]:
    """Return functions that load the models of the arguments, by the name on the page.

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
        raise FileNotFoundError("no weights were found; vgtoolbox doctor lists where to put them")
    return present


def run(arguments: argparse.Namespace) -> None:
    """Serve until interrupted."""
    responder = Responder(chosen_models(arguments))
    try:
        page = build_page(responder, examples=find_examples(EXAMPLES, EXAMPLE_TEXTS))
        launch_page(page, port=arguments.port, max_file_bytes=responder.limits.file_bytes)
    finally:
        responder.close()
