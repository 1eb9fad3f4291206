"""How the page looks: gradio's components around a `Responder`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vgtoolbox.visualization.overlay import LAYERS
from vgtoolbox.webui.answering import COLUMNS, PageError, Responder
from vgtoolbox.webui.browsing import SplitBrowser

if TYPE_CHECKING:
    import gradio

TITLE = "vgtoolbox: find what words name"
LOOPBACK = "127.0.0.1"
_ATTENTION = "attention map"
_QUEUE_LENGTH = 64
_BUTTONS = ["download", "fullscreen"]  # by default there is one that shares
# Seconds between cleanings of gradio's own copies of uploads, and how old these may become.
_CACHE = (600, 3600)


def build_page(responder: Responder, *, examples: Sequence[tuple[str, str]] = ()) -> gradio.Blocks:
    """Build the page.

    Args:
        responder: That answers.
        examples: Image file and expressions, to pick from.

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
        with gr.Tab("Data set"):
            _data_tab(gr, responder, model)
    return page


def launch_page(
    page: gradio.Blocks, *, port: int | None, max_file_bytes: int, block: bool = True
) -> str:
    """Serve the page to this machine alone, and return its address.

    Args:
        page: That `build_page` made.
        port: To listen at; None is a free one.
        max_file_bytes: Of an upload; more is refused before it is stored.
        block: Return only when it is stopped.
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
    """Lay out questions on the left and answers on the right."""
    with gr.Row():
        with gr.Column(scale=1):
            # A file, not gradio's Image, which would decode it before any limit is looked at.
            image = gr.File(label="picture", elem_id="picture")
            text = gr.Textbox(label="expressions, one a line", lines=3, elem_id="expressions")
            label = "score threshold (0: the model's own)"
            score_thr = gr.Slider(0, 1, value=0, step=0.01, label=label)
            layers = gr.CheckboxGroup(
                [*LAYERS, _ATTENTION], value=list(LAYERS), label="show", elem_id="layers"
            )
            ask = gr.Button("Find", variant="primary", elem_id="find")
            if examples:
                gr.Examples([list(example) for example in examples], [image, text])
        with gr.Column(scale=2):
            verdict = gr.Markdown(elem_id="verdict")
            gallery = gr.Gallery(
                label="found",
                columns=2,
                format="png",
                object_fit="contain",
                buttons=_BUTTONS,
                elem_id="found",
            )
            table = gr.Dataframe(headers=COLUMNS, label="targets", interactive=False)
            with gr.Row():
                png = gr.DownloadButton("PNG", elem_id="download-png")
                lines = gr.DownloadButton("JSON", elem_id="download-json")

    def respond(file: str | None, words: str, name: str, limit: float, shown: list[str]) -> Any:
        answer = responder.answer(
            file,
            words,
            model=name,
            score_thr=limit or None,
            layers=[layer for layer in LAYERS if layer in shown],
            attention=_ATTENTION in shown,
        )
        files = str(answer.image_file), str(answer.result_file)
        return answer.verdict, answer.pictures, answer.rows, *files

    ask.click(
        _shown_errors(gr, respond),
        [image, text, model, score_thr, layers],
        [verdict, gallery, table, png, lines],
        api_name="find",
    )


def _data_tab(gr: Any, responder: Responder, model: Any) -> None:
    """Lay out a sample: ground truth beside prediction."""
    with gr.Row():
        split = gr.Textbox(label="split (empty: the config's first)", elem_id="split")
        index = gr.Number(0, label="sample", precision=0, minimum=0, elem_id="sample")
        show = gr.Button("Show", elem_id="show")
    words = gr.Markdown(elem_id="sample-words")
    picture = gr.Image(
        label="ground truth | prediction",
        format="png",
        buttons=_BUTTONS,
        elem_id="sample-picture",
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
        _shown_errors(gr, browse), [model, split, index], [words, picture], api_name="browse"
    )


def _shown_errors(gr: Any, answer: Callable[..., Any]) -> Callable[..., Any]:
    """Turn what a visitor did wrong, or a model lacks, into a message on the page."""

    def answered(*values: Any) -> Any:
        try:
            return answer(*values)
        except (PageError, FileNotFoundError) as error:
            raise gr.Error(str(error), duration=None, print_exception=False) from error

    return answered


def find_examples(folder: Path, texts: Sequence[str], count: int = 4) -> list[tuple[str, str]]:
    """Pair the first images of a folder with expressions; none where there is no folder."""
    files = sorted(folder.glob("*.jpg"))[:count] if folder.is_dir() else []
    return [(str(file), "\n".join(texts)) for file in files]


def _gradio() -> Any:
    try:
        import gradio
    except ImportError as error:
        raise ImportError(
            "the page needs the package gradio: pip install 'vgtoolbox[demo]'"
        ) from error
    return gradio
