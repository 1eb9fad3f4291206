"""Arguments of demo, infer, webui and benchmark."""

from __future__ import annotations

import argparse
from pathlib import Path

from vgtoolbox.cli.arguments import (
    DTYPES,
    add_cfg_options,
    add_checkpoint,
    add_config,
    add_device,
    add_model,
    add_out,
    add_score_thr,
    port,
    positive,
)

DEFAULT_MODEL = "InstanceVG-tiny-shapes"
RESULT_FORMATS = ("coco", "labelstudio")
ACCELERATION_MODES = ("eager", "fused", "compile", "cudagraph")


def chosen_model(arguments: argparse.Namespace) -> str | None:
    """Return the zoo name or config that the arguments name, or the default model.

    It is `None` if only a checkpoint is named, which then carries its config.
    """
    if arguments.model or arguments.config or arguments.checkpoint:
        return arguments.model or arguments.config
    return DEFAULT_MODEL


def add_demo(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of demo."""
    parser.add_argument("--img", required=True, metavar="F", help="image file or URL")
    parser.add_argument(
        "--expression",
        required=True,
        nargs="+",
        action="extend",
        metavar="TEXT",
        help="one or several expressions",
    )
    add_model(parser, default=f"{DEFAULT_MODEL}, unless --config or --checkpoint is given")
    parser.add_argument(
        "--output_dir",
        "--output-dir",
        default="demo_output",
        metavar="D",
        help="folder of pictures and results; default: %(default)s",
    )
    add_score_thr(parser)


def add_infer(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of infer."""
    parser.add_argument(
        "--images",
        required=True,
        nargs="+",
        metavar="F",
        help="files, folders, glob patterns or URLs",
    )
    parser.add_argument(
        "--expressions",
        required=True,
        nargs="+",
        metavar="TEXT",
        help="expressions, each for every image",
    )
    add_model(parser, default=f"{DEFAULT_MODEL}, unless --config or --checkpoint is given")
    add_out(parser, help_text="output folder; default: %(default)s", default="work_dirs/infer")
    parser.add_argument(
        "--formats",
        nargs="+",
        default=[],
        choices=RESULT_FORMATS,
        help="additional result files",
    )
    parser.add_argument("--pictures", action="store_true", help="draw each result as a PNG")
    parser.add_argument("--batch-size", type=positive, default=1, metavar="B")
    add_score_thr(parser)
    parser.add_argument("--topk", type=positive, metavar="K", help="candidates in each result")
    parser.add_argument(
        "--tasks",
        default="auto",
        choices=["auto", "box", "mask", "both"],
        help="outputs in each result; default: all that the model predicts",
    )
    parser.add_argument("--dtype", default="auto", choices=["auto", *DTYPES], help="precision")


def infer_interrupted(arguments: argparse.Namespace) -> str:
    """Return what an interrupted inference kept."""
    file = arguments.out / "predictions.jsonl"
    return f"results so far are in {file}; run the same command again for the remaining pairs"


def add_webui(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of webui."""
    add_model(parser, default="all zoo models whose weights are present")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; others than this machine's own loopback address, such as "
        "0.0.0.0, need --auth; default: %(default)s",
    )
    parser.add_argument("--port", type=port, help="default: the first free port from 7860")
    auth = parser.add_mutually_exclusive_group()
    auth.add_argument(
        "--auth",
        metavar="USER:PASSWORD",
        help="ask visitors for this user name and password. Users of this machine can see it in "
        "the list of processes: prefer --auth-file or the environment variable VGTOOLBOX_AUTH",
    )
    auth.add_argument(
        "--auth-file", type=Path, metavar="F", help="file with one line USER:PASSWORD"
    )
    parser.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="host name under which visitors reach the page, e.g. that of a reverse proxy",
    )


def add_benchmark(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of benchmark."""
    add_config(parser)
    add_checkpoint(parser, default="random weights, which take the same time")
    parser.add_argument("--batch-sizes", nargs="+", type=positive, default=[1, 8], metavar="B")
    parser.add_argument("--mode", nargs="+", choices=ACCELERATION_MODES, default=["fused"])
    parser.add_argument(
        "--against",
        choices=ACCELERATION_MODES,
        help="mode to compare speed and outputs with",
    )
    parser.add_argument("--train-step", action="store_true", help="also time training steps")
    parser.add_argument("--dtype", choices=DTYPES, default="float32")
    add_device(parser)
    parser.add_argument("--threads", type=positive, help="CPU threads; default: torch's choice")
    parser.add_argument(
        "--seconds", type=float, default=20.0, help="time for each batch size; %(default)s"
    )
    parser.add_argument("--out", metavar="F", help="JSON file for all figures")
    add_cfg_options(parser)


def add_export(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of export."""
    add_config(parser)
    add_checkpoint(parser, default="random weights")
    parser.add_argument("--out", required=True, type=Path, metavar="F", help="F.pt2 or F.onnx")
    parser.add_argument(
        "--outputs", nargs="+", metavar="NAME", help="outputs of tensor mode; default: all"
    )
    parser.add_argument(
        "--tolerance", type=float, default=1e-3, help="largest difference; default: %(default)s"
    )
    parser.add_argument("--no-check", action="store_true", help="do not run the exported model")
    add_cfg_options(parser)


def add_flops(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of flops."""
    add_config(parser)
    parser.add_argument("--batch-size", type=positive, default=1, metavar="B")
    add_cfg_options(parser)
