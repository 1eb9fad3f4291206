import pytest
import torch

from vgtoolbox.checkpoint import (
    CheckpointError,
    CheckpointMismatchError,
    convert_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from vgtoolbox.checkpoint.config_text import write_config_text
from vgtoolbox.checkpoint.layouts import instancevg
from vgtoolbox.engine import load_config
from vgtoolbox.inference import GroundingInferencer
from vgtoolbox.registry import MODELS

DROPPED = "head.query_embedding.weight"


@pytest.fixture(scope="module")
def config(miniature_config):
    return load_config(miniature_config)


@pytest.fixture(scope="module")
def model(config):
    torch.manual_seed(0)
    return MODELS.build(config.model)


@pytest.fixture(scope="module")
def published(model):
    return instancevg.LAYOUT.to_published(model.state_dict()) | {DROPPED: torch.ones(2)}


@pytest.fixture
def published_file(published, tmp_path):
    """As a published training leaves it, under a data-parallel wrapper."""
    path = tmp_path / "published.pth"
    wrapped = {f"module.{key}": value for key, value in published.items()}
    torch.save({"state_dict": wrapped, "epoch": 9, "optimizer": {}}, path)
    return path


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert torch.equal(found[key], value), key
        assert found[key].dtype == value.dtype


@pytest.mark.parametrize("first", [".safetensors", ".pth"])
@pytest.mark.parametrize("second", [".safetensors", ".pth"])
def test_round_trip_is_bitwise_identical(published_file, published, tmp_path, first, second):
    ours, back = tmp_path / f"ours{first}", tmp_path / f"back{second}"
    there = convert_checkpoint(published_file, ours)
    again = convert_checkpoint(ours, back)
    assert (there.to_published, again.to_published) == (False, True)
    assert there.layout == again.layout == instancevg.LAYOUT.name
    expected = {key: value for key, value in published.items() if key != DROPPED}
    assert_same(load_checkpoint(back)["state_dict"], expected)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["published.pth", ours.name, back.name]
    )


def test_the_result_with_a_config_is_self_contained(
    published_file, config, model, tmp_path, recwarn
):
    target = tmp_path / "ours.safetensors"
    text = write_config_text(config.to_dict())
    with torch.device("meta"):
        shapes = MODELS.build(config.model)
    convert_checkpoint(published_file, target, model=shapes, config_text=text)
    inferencer = GroundingInferencer(checkpoint=target, device="cpu")
    assert_same(inferencer.model.state_dict(), model.state_dict())
    assert "tokenizer.spm" in load_checkpoint(target)["meta"]["files"]


def test_a_pth_contains_its_config(published_file, config, tmp_path):
    target = tmp_path / "ours.pth"
    text = write_config_text(config.to_dict())
    convert_checkpoint(published_file, target, config_text=text)
    assert load_checkpoint(target)["config"] == text
    back = tmp_path / "back.pth"
    convert_checkpoint(target, back, config_text=text)
    assert load_checkpoint(back).keys() == {"state_dict"}  # the published code knows no config


def test_weights_of_another_size_are_not_converted(published_file, config, tmp_path):
    other = load_config(config.filename, {"model.backbone.ffn_dim": 8})
    with torch.device("meta"):
        shapes = MODELS.build(other.model)
    target = tmp_path / "ours.pth"
    with pytest.raises(CheckpointMismatchError, match="mis-shaped"):
        convert_checkpoint(published_file, target, model=shapes)
    ours = tmp_path / "right.pth"
    convert_checkpoint(published_file, ours)
    with pytest.raises(CheckpointMismatchError, match="mis-shaped"):
        convert_checkpoint(ours, target, model=shapes)
    assert not target.exists()


def test_unknown_layout(tmp_path):
    source = tmp_path / "a.pth"
    save_checkpoint({"state_dict": {"net.weight": torch.ones(1)}}, source)
    with pytest.raises(CheckpointError, match=r"known: the published InstanceVG.*net\.weight"):
        convert_checkpoint(source, tmp_path / "b.pth")


def test_a_file_is_not_converted_into_itself(published_file):
    before = published_file.read_bytes()
    with pytest.raises(CheckpointError, match="must be another file than"):
        convert_checkpoint(published_file, published_file.parent / "." / published_file.name)
    assert published_file.read_bytes() == before
