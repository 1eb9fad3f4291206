import pickle

import numpy as np
import pytest
import torch

from vgtoolbox.checkpoint import (
    CheckpointError,
    CheckpointMismatchError,
    load_checkpoint,
    load_state_dict_strict,
)
from vgtoolbox.checkpoint.layouts import recognize_export_layout, recognize_layout, vitdet
from vgtoolbox.models.backbones import ViTDet

# The shapes of `model_final_435fa9.pkl`, divided: 12 blocks, windows of 14, a grid of 64.
SIZES = {"embed_dim": 24, "num_heads": 12}
LANGUAGE = {"text_blocks": (2, 5, 8, 11), "text_injector": {"num_heads": 2, "bottleneck": 4}}
OF_THE_DETECTOR = (
    "backbone.simfp_2.0.weight",
    "proposal_generator.rpn_head.conv.conv0.weight",
    "roi_heads.box_predictor.0.cls_score.weight",
)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return ViTDet(**SIZES, **LANGUAGE)


@pytest.fixture
def arrays():
    """Arrays of a ViTDet without text injectors by their names in detectron2."""
    generator = np.random.default_rng(0)
    state = vitdet.LAYOUT.to_published(ViTDet(**SIZES).state_dict())
    published = {
        key: generator.standard_normal(tuple(value.shape), dtype=np.float32)
        for key, value in state.items()
    }
    return published | {key: np.zeros(3, np.float32) for key in OF_THE_DETECTOR}


@pytest.fixture
def write(tmp_path):
    def write(arrays, protocol=pickle.HIGHEST_PROTOCOL):
        path = tmp_path / "model_final.pkl"
        content = {"model": arrays, "__author__": "somebody", "matching_heuristics": True}
        path.write_bytes(pickle.dumps(content, protocol=protocol))
        return path

    return write


def _load(model, path):
    return load_state_dict_strict(model, load_checkpoint(path)["state_dict"], source=path.name)


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_fills_171_tensors_and_leaves_the_injectors(model, arrays, write, protocol):
    before = {k: v.clone() for k, v in model.state_dict().items() if "text_injector" in k}
    report = _load(model, write(arrays, protocol))
    assert report.complete
    assert report.layout == vitdet.LAYOUT.name
    filled = [key for key in report.matched if "text_injector" not in key]
    assert len(filled) == 171
    state = model.state_dict()
    for key, value in arrays.items():
        if key not in OF_THE_DETECTOR:
            assert np.array_equal(state[vitdet.TABLE.our_name(key)].numpy(), value), key
    assert before
    assert all(torch.equal(state[key], value) for key, value in before.items())


@pytest.mark.parametrize(
    ("key", "ours"),
    [
        ("blocks.2.attn.rel_pos_h", "blocks.2.attention.relative_position.rows"),
        ("blocks.11.mlp.fc2.bias", "blocks.11.mlp.fc2.bias"),
        ("pos_embed", "position_embed"),
    ],
)
def test_a_missing_tensor_is_named(model, arrays, write, key, ours):
    del arrays["backbone.net." + key]
    if key == "pos_embed":  # without it, the file is not recognized at all
        with pytest.raises(CheckpointMismatchError, match="0 matched"):
            _load(model, write(arrays))
        return
    with pytest.raises(CheckpointMismatchError) as error:
        _load(model, write(arrays))
    assert error.value.report.missing == (ours,)


def test_an_extra_tensor_is_named(model, arrays, write):
    arrays["backbone.net.blocks.3.residual.conv1.weight"] = np.zeros((2, 2), np.float32)
    with pytest.raises(
        ValueError, match=r"backbone\.net\.blocks\.3\.residual\.conv1\.weight is not a key"
    ):
        _load(model, write(arrays))
    del arrays["backbone.net.blocks.3.residual.conv1.weight"]
    arrays["backbone.net.blocks.12.norm1.weight"] = np.zeros(24, np.float32)
    with pytest.raises(CheckpointMismatchError) as error:
        _load(model, write(arrays))
    assert error.value.report.unexpected == ("blocks.12.norm1.weight",)


def test_another_size_is_named(arrays, write):
    smaller = ViTDet(**SIZES, relative_grid_size=32)
    with pytest.raises(CheckpointMismatchError) as error:
        _load(smaller, write(arrays))
    assert ("blocks.2.attention.relative_position.rows", (127, 2), (63, 2)) in (
        error.value.report.mis_shaped
    )


def test_a_pickle_that_runs_code_is_refused(write, tmp_path):
    class Touch:
        def __reduce__(self):
            return (open, (str(tmp_path / "witness"), "w"))

    with pytest.raises(CheckpointError, match=r"contains Python objects(.|\n)*io\.open"):
        load_checkpoint(write({"w": Touch()}))
    assert not (tmp_path / "witness").exists()


def test_round_trip():
    state = ViTDet(**SIZES).state_dict()
    published = vitdet.LAYOUT.to_published(state)
    assert recognize_layout(published) is vitdet.LAYOUT
    assert recognize_export_layout(state) is vitdet.LAYOUT
    back = vitdet.LAYOUT.to_ours(published)
    assert set(back) == set(state)
    assert all(torch.equal(back[key], value) for key, value in state.items())


def test_language_has_no_counterpart(model):
    assert recognize_export_layout(model.state_dict()) is None
    with pytest.raises(ValueError, match=r"text_injector\.\S+ has no counterpart in detectron2"):
        vitdet.LAYOUT.to_published(model.state_dict())
