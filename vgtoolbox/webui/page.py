"""Build the web page from gradio components, and serve it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vgtoolbox.visualization.overlay import LAYERS
from vgtoolbox.webui.browsing import SplitBrowser
from vgtoolbox.webui.responder import TABLE_COLUMNS, PageError, Responder

if TYPE_CHECKING:
    import gradio

TITLE = "vgtoolbox: visual grounding"
LOOPBACK = "127.0.0.1"
_ATTENTION = "attention map"
_QUEUE_LENGTH = 64
_BUTTONS = ["download", "fullscreen"]  # without gradio's default button that shares images
# Seconds between two cleanups of gradio's copies of uploads, and their largest age in seconds.
_CACHE = (600, 3600)


def build_page(responder: Responder, *, examples: Sequence[tuple[str, str]] = ()) -> gradio.Blocks:
    """Build the page.

    Args:
        responder: Responder that answers the requests.
        examples: Pairs of an image file and expressions that visitors can choose. If empty, no
            examples are shown.

    Raises:
        ImportError: gradio is not installed.
    """
    gr = _gradio()
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=_CACHE) as page:
        gr.Markdown(f"# {TITLE}")
        model = gr.Dropdown(
            list(responder.models), value=next(iter(responder.models)), label="model"
        )
        with gr.Tab("Ask"):
            _ask_tab(gr, responder, model, examples)
        with gr.Tab("Dataset"):
            _dataset_tab(gr, responder, model)
    return page


def launch_page(
    page: gradio.Blocks, *, port: int | None, max_file_bytes: int, block: bool = True
) -> str:
    """Serve the page on the loopback interface and return its address.

    Args:
        page: Page from `build_page`.
        port: Port of the server. If `None`, a free one is chosen.
        max_file_bytes: Largest size of an upload in bytes; larger ones are rejected before they
            are stored.
        block: Whether to return only after the server has been stopped.
    """
    gr = _gradio()
    page.queue(max_size=_QUEUE_LENGTH, default_concurrency_limit=1)
    theme = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"])
    _, address, _ = page.launch(
        server_name=LOOPBACK,
        server_port=port,
        share=False,
        max_file_size=max_file_bytes,
        prevent_thread_lock=not block,
        theme=theme,
        quiet=not block,
        footer_links=[],
    )
    return address


def _ask_tab(
    gr: Any, responder: Responder, model: Any, examples: Sequence[tuple[str, str]]
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

    def respond(file: str | None, words: str, name: str, threshold: float, shown: list[str]) -> Any:
        response = responder.respond(
            file,
            words,
            model=name,
            score_thr=threshold or None,
            layers=[layer for layer in LAYERS if layer in shown],
            attention=_ATTENTION in shown,
        )
        files = str(response.image_file), str(response.result_file)
        return response.summary, response.images, response.rows, *files

    ask.click(
        _with_error_messages(gr, respond),
        [image, text, model, score_thr, layers],
        [summary, gallery, table, png, json],
        api_name="find",
    )


def _dataset_tab(gr: Any, responder: Responder, model: Any) -> None:
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

    def browse(name: str, split_name: str, position: float) -> Any:
        if name not in browsers:
            browsers.clear()
            browsers[name] = SplitBrowser(responder.inferencer(name))
        splits = browsers[name].splits
        chosen = split_name.strip() or next(iter(splits), "")
        drawn, text = browsers[name].show(chosen, int(position))
        return f"{text} (splits: {', '.join(splits)})", drawn

    show.click(
        _with_error_messages(gr, browse), [model, split, index], [caption, image], api_name="browse"
    )


def _with_error_messages(gr: Any, handler: Callable[..., Any]) -> Callable[..., Any]:
    """Show invalid requests and missing files as messages on the page."""

    def handle(*values: Any) -> Any:
        try:
            return handler(*values)
        except (PageError, FileNotFoundError) as error:
            raise gr.Error(str(error), duration=None, print_exception=False) from error

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
