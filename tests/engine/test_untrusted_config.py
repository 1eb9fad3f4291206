import pytest
from mmengine.utils import apply_to
from safetensors.torch import save_file

from vgtoolbox.checkpoint import (
    CheckpointError,
    CheckpointMismatchError,
    load_checkpoint,
    load_released,
    save_released,
    tokenizer_files,
)
from vgtoolbox.checkpoint.config_text import write_config_text
from vgtoolbox.engine import load_config
from vgtoolbox.engine.config import config_from_text
from vgtoolbox.engine.untrusted_config import check_untrusted_values, untrusted_config
from vgtoolbox.inference import GroundingInferencer
from vgtoolbox.registry import MODELS
from vgtoolbox.zoo import read_zoo

TYPES = [
    "os.system",
    "builtins.eval",
    "subprocess.Popen",
    "antigravity",  # a module that opens a browser when it is imported
    "torch.nn.Linear",
    "torch.hub.load",
    "mmdet.ResNet",
    "mmengine.Config",
    "vgtoolbox.os.system",
    "vgtoolbox.zoo.read_zoo",
]


def read(config):
    return untrusted_config(write_config_text(config), source="downloaded.safetensors")


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize(
    "place",
    [
        lambda bad: {"model": bad},
        lambda bad: {"model": {"type": "InstanceVG", "backbone": {"nested": [1, {"deep": bad}]}}},
        lambda bad: {"model": {"type": "InstanceVG", "data_preprocessor": bad}},
        lambda bad: {"test_splits": {"a": {"dataset": {"pipeline": {"load": bad}}}}},
        lambda bad: {"test_dataloader": {"collate_fn": bad}},
        lambda bad: {"custom_hooks": [bad]},
        lambda bad: {"anything": ({"at": (bad,)},)},
    ],
)
def test_types_that_are_not_registered_are_refused_at_any_depth(name, place):
    with pytest.raises(CheckpointError, match=r"downloaded\.safetensors: .*type = '" + name + "'"):
        read(place({"type": name, "command": "touch ran"}))


@pytest.mark.parametrize(
    "config",
    [
        {"model": {"type": "InstanceVG", "_scope_": "mmdet"}},
        {"custom_imports": {"imports": ["antigravity"]}},
    ],
)
def test_keys_that_change_the_lookup_are_refused(config):
    with pytest.raises(CheckpointError, match="not a type of vgtoolbox"):
        read(config)


def test_a_checkpoint_runs_nothing(tmp_path, monkeypatch, released_checkpoint, miniature_config):
    monkeypatch.chdir(tmp_path)
    cfg = load_config(miniature_config).to_dict()
    model = MODELS.build(cfg["model"])
    cfg["model"] = {"type": "os.system", "command": "touch ran"}
    save_released(model, write_config_text(cfg), tmp_path / "evil.safetensors")
    with pytest.raises(CheckpointError, match=r"evil\.safetensors: .*model\.type = 'os\.system'"):
        GroundingInferencer(checkpoint=tmp_path / "evil.safetensors", device="cpu")
    assert not (tmp_path / "ran").exists()


def test_the_config_of_every_zoo_model_passes():
    for model in read_zoo().values():
        text = write_config_text(load_config(model.config).to_dict())
        untrusted_config(text, source=model.name)


def test_the_config_of_a_zoo_model_wins_over_that_of_its_weights(released_checkpoint):
    """The weights fit the smaller model of their own config, which must not be used."""
    GroundingInferencer(checkpoint=released_checkpoint, device="cpu")
    with pytest.raises(CheckpointMismatchError):
        GroundingInferencer("InstanceVG-tiny-shapes", released_checkpoint, device="cpu")


def refusal(config):
    with pytest.raises(CheckpointError) as caught:
        read(config)
    return str(caught.value)


@pytest.mark.parametrize(
    "config",
    [
        # mmengine's own loader of weights, and kernels that transformers downloads and runs.
        {"model": {"type": "InstanceVG", "init_cfg": {"type": "Pretrained", "checkpoint": "a"}}},
        {"model": {"mllm": {"text_config": {"_attn_implementation": "someone/kernels"}}}},
        {"model": {"mllm": {"vision_config": {"attn_implementation": "a/b@main:c"}}}},
        # Numbers that fill the memory before anything is known about the weights.
        {"model": {"type": "BEiT3", "num_layers": 10**9}},
        {"model": {"mllm": {"text_config": {"num_hidden_layers": -(10**9)}}}},
        {"model": {"type": "PLVL", "data_preprocessor": {"pad_size_divisor": 1 << 20}}},
        {"test_dataloader": {"dataset": {"pipeline": [{"type": "Resize", "size": 100_000}]}}},
    ],
)
def test_values_that_download_or_fill_the_memory_are_refused(config):
    assert "downloaded.safetensors: the config in the checkpoint has " in refusal(config)


@pytest.mark.parametrize(
    "text",
    [
        "model = " + "[" * 100_000,
        "model = " + "-" * 100_000 + "1",
        "model = " + "1+" * 100_000 + "1",
        "model = " + "a." * 50_000 + "b",
        "model = dict(" * 5_000,
        "model = {[]: 1}",
        "model = {{}: 1}",
        "a = 1\0",
        "filename = 1",
        "text = 1",
        "env_variables = {}",
        "model = " + "9" * 10_000,
        "x = '" + "a" * 1_100_000 + "'",
        "model = dict(**{'a': 1})",
        "model = __import__('os')",
        "import os",
        "\ud800 = 1",
    ],
)
def test_texts_that_are_not_configs_are_errors_of_the_checkpoint(text):
    with pytest.raises(CheckpointError, match=r"downloaded\.safetensors: the config in the checkp"):
        untrusted_config(text, source="downloaded.safetensors")


def test_a_name_of_another_registry_imports_nothing(tmp_path, monkeypatch):
    """`Resize` is a transform; as a model it must not be looked for as a module."""
    (tmp_path / "Resize.py").write_text("open('ran', 'w')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(KeyError, match="'Resize' is not a model of vgtoolbox"):
        MODELS.build({"type": "Resize"})
    assert not (tmp_path / "ran").exists()


def test_options_of_a_metafile_follow_the_same_rule():
    for options in ({"model.type": "os.system"}, {"model": {"type": "os.system"}}):
        with pytest.raises(CheckpointError, match=r"a metafile has .*'os\.system'"):
            check_untrusted_values(options, source="a metafile")
    for model in read_zoo().values():
        check_untrusted_values(model.options, source=model.name)


@pytest.fixture
def changed(tmp_path, released_checkpoint):
    """Return a function that stores a released checkpoint with another config."""

    def store(change, **metadata):
        state, text = load_released(released_checkpoint)
        config = config_from_text(text).to_dict()
        change(config)
        path = tmp_path / "changed.safetensors"
        files = load_checkpoint(released_checkpoint)["meta"]["files"]
        content = {"config": write_config_text(config), "files": files, **metadata}
        save_file(state, path, content)
        return path

    return store


def test_a_config_may_not_build_more_than_its_weights(changed):
    GroundingInferencer(checkpoint=changed(lambda config: None), device="cpu")

    def enlarge(config):
        config["model"]["backbone"]["vocab_size"] = 10**7

    with pytest.raises(CheckpointError, match="many times larger than its weights"):
        GroundingInferencer(checkpoint=changed(enlarge), device="cpu")

    def repeat(config):
        config["model"]["decoder"]["num_layers"] = 10**7

    with pytest.raises(CheckpointError, match="many times larger than its weights"):
        GroundingInferencer(checkpoint=changed(repeat), device="cpu")


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config.update(model=5),
        lambda config: config.update(model={"no": "type"}),
        lambda config: config.update(model=["InstanceVG"]),
        lambda config: config["model"].update(unknown_argument=1),
        lambda config: config["model"].update(backbone="text"),
        lambda config: config["model"].update(type="Resize"),
        lambda config: config.update(test_splits=7, test_dataloader=None, val_dataloader=[]),
        lambda config: config.update(test_splits={"a": {"dataset": {"pipeline": [{"type": 1}]}}}),
    ],
)
def test_configs_that_build_nothing_are_errors_of_the_checkpoint(changed, change):
    with pytest.raises(CheckpointError, match=r"changed\.safetensors: the .*config in the checkpo"):
        GroundingInferencer(checkpoint=changed(change), device="cpu")


def test_a_tokenizer_is_not_fetched_from_the_hub(changed):
    def rename(config):
        (name,) = tokenizer_files(config)
        config.update(
            apply_to(config, lambda x: isinstance(x, str), lambda x: x.replace(name, "a/tokenizer"))
        )

    with pytest.raises(CheckpointError, match="neither exists nor is contained in the checkpoint"):
        GroundingInferencer(checkpoint=changed(rename, files=""), device="cpu")


@pytest.mark.parametrize(
    "files", ["{", "[]", '{"a": 1}', '{"a": "!"}', "[" * 100_000, '{"a": "é"}']
)
def test_embedded_files_that_are_none_are_errors_of_the_checkpoint(changed, files):
    with pytest.raises(CheckpointError, match=r"embedded files of .* can't be read"):
        GroundingInferencer(checkpoint=changed(lambda config: None, files=files), device="cpu")
