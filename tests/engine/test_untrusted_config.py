import pytest

from vgtoolbox.checkpoint import CheckpointError, CheckpointMismatchError, save_released
from vgtoolbox.checkpoint.config_text import write_config_text
from vgtoolbox.engine import load_config
from vgtoolbox.engine.untrusted_config import untrusted_config
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
