"""Serve a web page to try models in the browser."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType

from vgtoolbox.engine import parse_options
from vgtoolbox.inference import GroundingInferencer
from vgtoolbox.webui import Access, Responder, page_folder, read_credentials
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
    access = Access(
        host=arguments.host,
        credentials=read_credentials(arguments.auth, arguments.auth_file),
        allowed_hosts=frozenset(name.lower() for name in arguments.allowed_host),
    )
    with ending_on_signals(), page_folder() as folder:
        responder = Responder(chosen_models(arguments), folder=folder)
        page = build_page(responder, examples=find_examples(EXAMPLES, EXAMPLE_TEXTS))
        launch_page(
            page,
            port=arguments.port,
            max_file_bytes=responder.limits.file_bytes,
            access=access,
        )


@contextmanager
def ending_on_signals() -> Iterator[None]:
    """End the process with an exception on SIGTERM and SIGHUP, so that files are removed."""
    signals = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]

    def end(number: int, frame: FrameType | None) -> None:
        for other in signals:
            signal.signal(other, signal.SIG_IGN)  # a second one must not stop the cleanup
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
