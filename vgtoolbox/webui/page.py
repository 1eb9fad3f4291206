"""Build the web page from gradio components, and serve it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vgtoolbox.utils.image_files import image_size
from vgtoolbox.visualization.overlay import LAYERS
from vgtoolbox.webui.access import Access
from vgtoolbox.webui.browsing import SplitBrowser
from vgtoolbox.webui.environment import gradio_environment
from vgtoolbox.webui.responder import TABLE_COLUMNS, PageError, Responder
from vgtoolbox.webui.turns import Turns
from vgtoolbox.webui.uploads import UploadFolder

if TYPE_CHECKING:
    import gradio

TITLE = "vgtoolbox: visual grounding"
_LOGGER = logging.getLogger(__name__)
_ATTENTION = "attention map"
# Questions that wait for a turn, and events that gradio accepts in addition.
_WAITING, _QUEUE_LENGTH = 64, 64
# A photo of 12 million pixels with 2 expressions lets the small questions of the next 24 s pass.
_PIXELS_PER_SECOND, _MAX_HANDICAP = 1_000_000, 90.0
_BUTTONS = ["download", "fullscreen"]  # without gradio's default button that shares images


def build_page(responder: Responder, *, examples: Sequence[tuple[str, str]] = ()) -> gradio.Blocks:
    """Build the page.

    Args:
        responder: Responder that answers the requests.
        examples: Pairs of an image file and expressions that visitors can choose. If empty, no
            examples are shown.

    Raises:
        ImportError: gradio is not installed.
    """
    with gradio_environment(responder.files_folder):
        gr = _gradio()
        return _build_page(gr, responder, examples)


def _build_page(
    gr: Any, responder: Responder, examples: Sequence[tuple[str, str]]
) -> gradio.Blocks:
    with gr.Blocks(title=TITLE, analytics_enabled=False) as page:
        gr.Markdown(f"# {TITLE}")
        model = gr.Dropdown(
            list(responder.models), value=next(iter(responder.models)), label="model"
        )
        turns = Turns(waiting=_WAITING)
        with gr.Tab("Ask"):
            _ask_tab(gr, responder, turns, model, examples)
        with gr.Tab("Dataset"):
            _dataset_tab(gr, responder, turns, model)
        # All questions start at once and wait for their turns.
        page.max_threads = _WAITING + _QUEUE_LENGTH
        page.queue(api_open=False, max_size=_QUEUE_LENGTH, default_concurrency_limit=None)
    return page


def launch_page(
    page: gradio.Blocks,
    *,
    port: int | None,
    max_file_bytes: int,
    block: bool = True,
    access: Access | None = None,
) -> str:
    """Serve the page and return its address.

    Args:
        page: Page from `build_page`.
        port: Port of the server. If `None`, the first free one from 7860 is used.
        max_file_bytes: Largest size of an upload in bytes; larger ones are rejected before they
            are stored.
        block: Whether to return only after the server has been stopped. Otherwise
            `page.close()` stops it.
        access: Address to listen on, and who may use it. If `None`, the page listens on the
            loopback interface, without authentication.

    Raises:
        AccessError: The port is in use.
    """
    gr = _gradio()
    from vgtoolbox.webui.server import PageServer

    server = PageServer(
        page=page,
        uploads=UploadFolder(Path(page.GRADIO_CACHE)),
        access=access or Access(),
        port=port,
        file_bytes=max_file_bytes,
        theme=gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
    )
    if block:
        print(f"the page is at {server.address} (Ctrl-C closes it)", flush=True)
        server.run()
    else:
        server.start()
    return server.address


def _ask_tab(
    gr: Any, responder: Responder, turns: Turns, model: Any, examples: Sequence[tuple[str, str]]
) -> None:
    """Lay out the request on the left and the response on the right."""
    with gr.Row():
        with gr.Column(scale=1):
            # A file, since gradio's Image would decode it before any limit is checked.
            image = gr.File(label="image", elem_id="image")
            text = gr.Textbox(label="expressions, one per line", lines=3, elem_id="expressions")
            label = "score threshold (0: the model's default)"
            score_thr = gr.Slider(0, 1, value=0, step=0.01, label=label)
            layers = gr.CheckboxGroup(
                [*LAYERS, _ATTENTION], value=list(LAYERS), label="show", elem_id="layers"
            )
            ask = gr.Button("Find", variant="primary", elem_id="find")
            if examples:
                gr.Examples([list(example) for example in examples], [image, text])
        with gr.Column(scale=2):
            summary = gr.Markdown(elem_id="summary")
            gallery = gr.Gallery(
                label="found",
                columns=2,
                format="png",
                object_fit="contain",
                buttons=_BUTTONS,
                elem_id="found",
            )
            table = gr.Dataframe(headers=TABLE_COLUMNS, label="targets", interactive=False)
            with gr.Row():
                png = gr.DownloadButton("PNG", elem_id="download-png")
                json = gr.DownloadButton("JSON", elem_id="download-json")

    def respond(
        file: str | None,
        words: str,
        name: str,
        threshold: float,
        shown: list[str],
        is_wanted: Callable[[], bool],
    ) -> Any:
        response = responder.respond(
            file,
            words,
            model=name,
            score_thr=threshold or None,
            layers=[layer for layer in LAYERS if layer in shown],
            attention=_ATTENTION in shown,
            is_wanted=is_wanted,
        )
        files = str(response.image_file), str(response.result_file)
        summaries = [summary for _, summary in response.images]
        drawn = [
            (str(file), words) for file, words in zip(response.drawn_files, summaries, strict=True)
        ]
        return response.summary, drawn, response.rows, *files

    ask.click(
        _in_turn(gr, turns, respond, handicap=_handicap),
        [image, text, model, score_thr, layers],
        [summary, gallery, table, png, json],
        api_name="find",
    )


def _dataset_tab(gr: Any, responder: Responder, turns: Turns, model: Any) -> None:
    """Lay out a sample of a split: ground truth next to prediction."""
    with gr.Row():
        split = gr.Textbox(label="split (empty: the config's first)", elem_id="split")
        index = gr.Number(0, label="sample", precision=0, minimum=0, elem_id="sample")
        show = gr.Button("Show", elem_id="show")
    caption = gr.Markdown(elem_id="sample-caption")
    image = gr.Image(
        label="ground truth | prediction",
        format="png",
        buttons=_BUTTONS,
        elem_id="sample-image",
    )
    browsers: dict[str, SplitBrowser] = {}

    def browse(
        name: str, split_name: str, position: float | None, is_wanted: Callable[[], bool]
    ) -> Any:
        del is_wanted  # a sample has one expression
        if position is None:
            raise PageError("enter the number of a sample")
        if name not in browsers:
            browsers.clear()
            browsers[name] = SplitBrowser(responder.inferencer(name))
        splits = browsers[name].splits
        chosen = split_name.strip() or next(iter(splits), "")
        drawn, text = browsers[name].show(chosen, int(position))
        return f"{text} (splits: {', '.join(splits)})", drawn

    show.click(
        _in_turn(gr, turns, browse), [model, split, index], [caption, image], api_name="browse"
    )


def _handicap(file: str | None, words: str, *others: object) -> float:
    """Return a handicap in seconds that grows with the image and the number of expressions."""
    try:
        height, width = image_size(file or "")
    except (OSError, ValueError):
        return 0.0  # refused at once
    expressions = 1 + str(words).strip().count("\n")
    return min(_MAX_HANDICAP, height * width * expressions / _PIXELS_PER_SECOND)


def _in_turn(
    gr: Any,
    turns: Turns,
    handler: Callable[..., Any],
    *,
    handicap: Callable[..., float] = lambda *values: 0.0,
) -> Callable[..., Any]:
    """Call a handler in its visitor's turn, and show its errors as messages on the page.

    Other errors than `PageError` may name files of the server. They are logged, and visitors only
    learn that there was one.
    """

    async def handle(request: Any, *values: Any) -> Any:
        visitor = request.client.host if request.client else ""
        listeners = getattr(request.state, "listeners", None)
        try:
            return await turns.run(
                visitor,
                lambda is_wanted: handler(*values, is_wanted=is_wanted),
                is_heard=lambda: listeners is None or request.session_hash in listeners,
                handicap=await asyncio.to_thread(handicap, *values),
            )
        except PageError as error:
            raise gr.Error(str(error), duration=None, print_exception=False) from error
        except Exception as error:
            _LOGGER.exception("a question could not be answered")
            message = "the page could not answer; its administrator finds the reason in the log"
            raise gr.Error(message, duration=None, print_exception=False) from error

    # gradio inserts the request at the argument that is annotated so.
    handle.__annotations__["request"] = gr.Request
    return handle


def find_examples(folder: Path, texts: Sequence[str], count: int = 4) -> list[tuple[str, str]]:
    """Pair the first JPEG files of a folder with expressions.

    Args:
        folder: Folder of the images. If it does not exist, there are no examples.
        texts: Expressions of every example.
        count: Largest number of examples.
    """
    files = sorted(folder.glob("*.jpg"))[:count] if folder.is_dir() else []
    return [(str(file), "\n".join(texts)) for file in files]


def _gradio() -> Any:
    try:
        import gradio
    except ImportError as error:
        raise ImportError(
            "the web page needs the package gradio: pip install 'vgtoolbox[demo]'"
        ) from error
    return gradio
