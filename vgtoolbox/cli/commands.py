"""Table of the commands. It imports nothing heavy, so that `--help` is fast."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from vgtoolbox.cli.options import analysis, checkpoints, data, inference, training


def nothing_kept(arguments: argparse.Namespace) -> str:
    """Return what an interrupted command kept if it writes its output at the end."""
    return "no output was written; run the same command again"


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command of the `vgtoolbox` program.

    Attributes:
        module: Module of `vgtoolbox.cli` whose `run(arguments)` does the work.
        help: One-line description.
        example: Example of its arguments; empty if the command needs none.
        add_arguments: Function that declares the arguments.
        user_errors: Exceptions that are the user's mistakes in this command, in addition to those
            of `vgtoolbox.cli.errors`.
        interrupted: Function that says what an interrupted run kept, and how to resume.
    """

    module: str
    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    example: str = ""
    user_errors: tuple[type[Exception], ...] = ()
    interrupted: Callable[[argparse.Namespace], str] = nothing_kept


COMMANDS: Mapping[str, Command] = MappingProxyType(
    {
        "train": Command(
            module="train",
            help="train the model of a config",
            example="InstanceVG-tiny-shapes --device cpu",
            add_arguments=training.add_train,
            user_errors=(OSError,),
            interrupted=training.train_interrupted,
        ),
        "test": Command(
            module="test",
            help="test a checkpoint on the test splits of a config",
            example="InstanceVG-tiny-shapes --load-from CKPT",
            add_arguments=training.add_test,
            user_errors=(OSError,),
            interrupted=training.test_interrupted,
        ),
        "demo": Command(
            module="demo",
            help="ground expressions in one image",
            example='--img photo.jpg --expression "the red circle"',
            add_arguments=inference.add_demo,
            user_errors=(OSError, ValueError),
        ),
        "infer": Command(
            module="infer",
            help="ground expressions in many images; resumes after an interruption",
            example='--images photos --expressions "the red circle" "a dog" --out work_dirs/infer',
            add_arguments=inference.add_infer,
            user_errors=(OSError, ValueError),
            interrupted=inference.infer_interrupted,
        ),
        "webui": Command(
            module="webui",
            help="open a page in the browser to try models",
            example="--port 7860",
            add_arguments=inference.add_webui,
            user_errors=(OSError, ValueError, ImportError),
            interrupted=lambda arguments: "the page was closed",
        ),
        "data": Command(
            module="data",
            help="generate, set up and check datasets",
            example="check grefcoco --root data",
            add_arguments=data.add_data,
            user_errors=(OSError, ValueError),
            interrupted=data.data_interrupted,
        ),
        "convert": Command(
            module="convert",
            help="convert a checkpoint from or to its published layout",
            example="InstanceVG-grefcoco.pth ours.safetensors",
            add_arguments=checkpoints.add_convert,
        ),
        "publish": Command(
            module="publish",
            help="turn a training checkpoint into a released one, with config and tokenizer",
            example="work_dirs/run/epoch_2.pth released.safetensors",
            add_arguments=checkpoints.add_publish,
        ),
        "merge-lora": Command(
            module="merge_lora",
            help="merge the LoRA of a checkpoint, or keep only its trained weights",
            example="work_dirs/run/iter_50000.pth merged.safetensors",
            add_arguments=checkpoints.add_merge_lora,
        ),
        "export": Command(
            module="export",
            help="export a model to ONNX or torch.export",
            example="InstanceVG-tiny-shapes --out model.onnx",
            add_arguments=inference.add_export,
        ),
        "eval": Command(
            module="evaluate",
            help="score a prediction file without a model",
            example="predictions.jsonl --config CONFIG --split val",
            add_arguments=analysis.add_eval,
            user_errors=(OSError, ValueError, KeyError, ImportError),
        ),
        "errors": Command(
            module="analyze_errors",
            help="analyze the errors in a prediction file",
            example="predictions.jsonl --config CONFIG --out work_dirs/errors",
            add_arguments=analysis.add_errors,
            user_errors=(OSError, ValueError, KeyError, ImportError),
        ),
        "draw": Command(
            module="draw",
            help="draw predictions next to the ground truth",
            example="--config CONFIG --predictions predictions.jsonl",
            add_arguments=analysis.add_draw,
            user_errors=(OSError, ValueError),
        ),
        "browse": Command(
            module="browse",
            help="draw samples of a config after each step of their pipeline",
            example="InstanceVG-tiny-shapes --num 8",
            add_arguments=analysis.add_browse,
        ),
        "benchmark": Command(
            module="benchmark",
            help="measure the speed of a model",
            example="InstanceVG-tiny-shapes --batch-sizes 1 8",
            add_arguments=inference.add_benchmark,
        ),
        "flops": Command(
            module="flops",
            help="count the parameters and operations of a model",
            example="InstanceVG-tiny-shapes",
            add_arguments=inference.add_flops,
        ),
        "logs": Command(
            module="logs",
            help="print tables and draw curves of training runs",
            example="work_dirs/run --keys loss",
            add_arguments=analysis.add_logs,
            user_errors=(OSError, ValueError),
        ),
        "compare": Command(
            module="compare",
            help="compare the metrics of several tests",
            example="a/metrics.json b/metrics.json",
            add_arguments=analysis.add_compare,
            user_errors=(OSError, ValueError),
        ),
        "config": Command(
            module="print_config",
            help="print a config with its bases and overrides resolved",
            example="InstanceVG-grefcoco --key model.postprocessor",
            add_arguments=analysis.add_print_config,
        ),
        "zoo": Command(
            module="zoo",
            help="list the trained models",
            example="--system InstanceVG",
            add_arguments=checkpoints.add_zoo,
        ),
        "doctor": Command(
            module="doctor",
            help="check installation, data and weights, and say what to do next",
            add_arguments=analysis.add_doctor,
        ),
        "env": Command(
            module="doctor",
            help="print versions, for a bug report",
            add_arguments=analysis.add_env,
        ),
        "completion": Command(
            module="completion",
            help="print a completion script for a shell",
            example="bash",
            add_arguments=analysis.add_completion,
        ),
    }
)
