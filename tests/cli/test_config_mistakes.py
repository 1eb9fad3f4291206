"""Mistakes of users in `train` and `test` end with one line and exit code 2."""

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
import torch

from vgtoolbox.checkpoint import save_checkpoint
from vgtoolbox.cli.errors import USER_ERRORS, user_message
from vgtoolbox.cli.main import TRACEBACK_VARIABLE, main

TOY = Path(__file__).parents[1] / "engine"
CONFIG = TOY / "toy_config.py"


@pytest.fixture
def fails(tmp_path, monkeypatch, capsys):
    """Return a function that runs a command that must fail, and returns its only error line."""
    monkeypatch.syspath_prepend(str(TOY))

    def run(name, config, *words):
        folder = () if "--work-dir" in words else ("--work-dir", tmp_path / "run")
        options = [
            "--cfg-options",
            f"experiment_name=e{uuid.uuid4().hex}",
            'visualizer.vis_backends=[{"type":"LocalVisBackend"}]',
        ]
        assert main([name, *map(str, (config, "--device", "cpu", *folder, *words, *options))]) == 2
        printed = capsys.readouterr().err
        assert "Traceback" not in printed
        (line,) = [row for row in printed.splitlines() if row.startswith("error: ")]
        return line

    return run


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("train_cfg.max_epochs=abc", "train_cfg.max_epochs must be an integer of at least 1"),
        ("train_cfg.max_epochs=-1", "train_cfg.max_epochs must be an integer of at least 1"),
        ("train_cfg.max_epochs=1.5", "train_cfg.max_epochs must be an integer of at least 1"),
        ("train_dataloader.batch_size=0", "train_dataloader or train_cfg of the config cannot"),
        ("train_dataloader.batch_size=many", "batch_size should be a positive integer"),
        ("train_dataloader.num_workers=-1", "num_workers option should be non-negative"),
        ("train_dataloader.persistent_workers=True", "persistent_workers option needs"),
        ("train_dataloader.dataset.length=x", "DefaultSampler: TypeError: 'str' object"),
        ("train_dataloader.sampler.type=Nope", "'Nope' is not a data sampler"),
        ("optim_wrapper.optimizer.lr=fast", "optim_wrapper of the config cannot be built: AdamW"),
        ("optim_wrapper.optimizer.lr=-1", "AdamW: ValueError: Invalid learning rate: -1"),
        ("optim_wrapper.optimizer=5", "optim_wrapper of the config cannot be built"),
        ("optim_wrapper.clip_grad=5", "OptimWrapper: AssertionError: If `clip_grad` is not None"),
        ("model.width=wide", "model of the config cannot be built: ToyGrounder: TypeError"),
        ("model.width=-3", "model of the config cannot be built: ToyGrounder: RuntimeError"),
        ("model=5", "model should be a nn.Module object or dict, but got 5"),
        ("param_scheduler=5", "`param_scheduler` should be"),
        ('param_scheduler=[{"type":"LinearLR","start_factor":7}]', "param_scheduler of the"),
        ('custom_hooks=[{"type":"EMAHook","momentum":7}]', "momentum must be in range"),
        ('custom_hooks=[{"typo":"EMAHook"}]', "default_hooks or custom_hooks of the config"),
        ("default_hooks.checkpoint.save_best=gres/giou", "save_best must be a metric of the"),
        ("randomness.seed=abc", "a section of the config cannot be built"),
        ("log_level=LOUD", "KeyError: LOUD"),
        ("env_cfg.mp_cfg.mp_start_method=nope", "cannot find context for 'nope'"),
        ("env_cfg.dist_cfg.rank_timeout=0", "must be a positive number of seconds, got 0"),
        ("val_evaluator=5", "an evaluator of the config cannot be built"),
        ("compile=5", "compile of the config cannot be built"),
        ("auto_scale_lr.enable=True", "auto_scale_lr of the config cannot be built"),
    ],
)
def test_a_wrong_value_names_its_section(fails, option, message):
    assert message in fails("train", CONFIG, "--cfg-options", option)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"model = dict(\n", "cannot be read as a config: SyntaxError: '(' was never closed"),
        (b"x = 1 / 0\n", "cannot be read as a config: ZeroDivisionError"),
        (b"model = dict(type=undefined)\n", "NameError: name 'undefined' is not defined"),
        (b"\xff\xfe\x00", "cannot be read as a config: UnicodeDecodeError"),
        (b'_base_ = ["missing.py"]\n', "missing.py"),
        (b"train_cfg = dict(max_epochs=1)\n", "required positional argument: 'model'"),
        (
            b'custom_imports = dict(imports="no_such_module")\n',
            "'no_such_module' of custom_imports",
        ),
    ],
)
def test_a_file_that_is_not_a_config_is_named(fails, tmp_path, content, message):
    path = tmp_path / "mine.py"
    path.write_bytes(content)
    assert message in fails("train", path)


@pytest.fixture
def checkpoint(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(TOY))
    from toy_grounder import ToyGrounder

    path = tmp_path / "toy.pth"
    save_checkpoint({"state_dict": ToyGrounder().state_dict()}, path)
    return path


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ('test_splits.small.evaluator=[{"type":"Nope"}]', "'Nope' is not a metric"),
        (
            'test_splits.small.evaluator=[{"type":"GRESMetric","nope":1}]',
            "GRESMetric: TypeError: GRESMetric.__init__() got an unexpected keyword",
        ),
        ("test_splits.small.dataset.length=x", "test_dataloader, test_splits or test_cfg of"),
        ("test_dataloader.batch_size=x", "test_dataloader, test_splits or test_cfg of"),
    ],
)
def test_a_wrong_value_of_a_test_names_its_section(fails, checkpoint, option, message):
    words = ["--load-from", checkpoint, "--splits", "small", "--cfg-options", option]
    assert message in fails("test", CONFIG, *words)


@pytest.mark.parametrize("content", [b"nope.pth", b"\xff\x00", b""])
def test_a_last_checkpoint_that_does_not_exist(fails, tmp_path, content):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "last_checkpoint").write_bytes(content)
    assert fails("train", CONFIG, "--resume")


def test_outputs_that_cannot_be_written(fails, tmp_path, checkpoint):
    file = tmp_path / "file"
    file.write_text("")
    assert str(file) in fails("train", CONFIG, "--work-dir", file / "run")
    assert str(file) in fails("test", CONFIG, "--load-from", checkpoint, "--out", file)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nMore text"),
        MemoryError("cannot allocate"),
    ],
)
def test_too_little_memory_comes_with_a_next_step(error):
    assert isinstance(error, USER_ERRORS)
    message = user_message(error)
    assert message.startswith(f"out of memory: {str(error).partition(chr(10))[0]}; reduce the")
    assert "\n" not in message


def test_a_variable_shows_where_an_error_was_raised(fails, monkeypatch):
    monkeypatch.setenv(TRACEBACK_VARIABLE, "1")
    with pytest.raises(ValueError, match="model of the config cannot be built") as caught:
        fails("train", CONFIG, "--cfg-options", "model.width=wide")
    assert isinstance(caught.value.__cause__, TypeError)


FULL = """
import resource, sys
from vgtoolbox.cli.main import main
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
@pytest.mark.parametrize("name", ["train", "test"])
def test_a_full_disk_leaves_nothing_half_written(tmp_path, checkpoint, name):
    words = ["--device", "cpu", "--work-dir", tmp_path / "run"]
    options = ["train_cfg.max_epochs=1", 'visualizer.vis_backends=[{"type":"LocalVisBackend"}]']
    if name == "test":
        words += ["--load-from", checkpoint, "--splits", "small", "--out", tmp_path / "out"]
        options += ["test_splits.small.dataset.length=500"]
    paths = [str(TOY), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-c", FULL, name, CONFIG, *words, "--cfg-options", *options],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "no space left for" in done.stderr
    assert "Traceback" not in done.stderr
    written = {path.suffix for path in tmp_path.rglob("*") if path.is_file()} - {".py", ".log"}
    assert written <= {".pth", ".json", ""}
    assert not list(tmp_path.rglob("*.tmp"))
    assert not list(tmp_path.rglob("epoch_*.pth"))
    assert not list(tmp_path.rglob("metrics.json"))
    assert not list(tmp_path.rglob("predictions.jsonl"))
