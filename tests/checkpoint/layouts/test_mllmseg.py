"""Published MLLMSeg and InternVL folders, in every form, against a small model of ours."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from safetensors.torch import save_file

from vgtoolbox.checkpoint import CheckpointMismatchError, load_checkpoint, load_state_dict_strict
from vgtoolbox.checkpoint.layouts import internvl, mllmseg, recognize_layout
from vgtoolbox.checkpoint.sharded import ShardedState
from vgtoolbox.registry import MODELS

ROOT = Path(__file__).resolve().parents[3]
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def build(family="internlm2", *, lora=False, seed=0, **mllm):
    config = Config.fromfile(ROOT / "configs" / "_base_" / "models" / "mllmseg_tiny.py").model
    config.mllm.adapter.text_config.update(
        model_type=family,
        vocab_size=60,
        hidden_size=32,
        intermediate_size=40,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    config.mllm.adapter.vision_config.update(
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=32,
    )
    config.fusion.update(detail_channels=16, semantic_channels=32)
    config.decoder.update(channels=16, text_channels=32, cell_size=2, norm="batch")
    config.mllm.update(mllm)
    if lora:
        config.mllm.lora = {"targets": TARGETS, "rank": 2, "alpha": 4}
    torch.manual_seed(seed)
    model = MODELS.build(config)
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.randn(tensor.shape))
    return model


def published_of(model):
    return mllmseg.LAYOUT.to_published(model.state_dict(), model)


def published_lora(model):
    """The published code has one LoRA for q, k and v, so theirs read alike."""
    for layer in model.mllm.adapter.language_model.layers:
        attention = layer.self_attn
        for other in (attention.k_proj, attention.v_proj):
            other.lora_A.default.weight.data.copy_(attention.q_proj.lora_A.default.weight)
    return published_of(model)


def equal(a, b):
    return set(a) == set(b) and all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("family", ["internlm2", "qwen2"])
def test_round_trip(family):
    model = build(family)
    published = published_of(model)
    assert recognize_layout(published.keys()) is mllmseg.LAYOUT
    assert any("wqkv" in key for key in published) == (family == "internlm2")
    other = build(family, seed=1)
    report = load_state_dict_strict(other, published)
    assert report.complete
    assert report.layout == mllmseg.LAYOUT.name
    assert equal(other.state_dict(), model.state_dict())


def test_fused_heads_match_a_manual_example():
    """Two key-value heads of width 1, each behind its three queries: q q q k v."""
    fused = torch.arange(10.0)[:, None]
    query, key, value = internvl.split_heads(fused, 1, 3)
    assert query[:, 0].tolist() == [0, 1, 2, 5, 6, 7]
    assert key[:, 0].tolist() == [3, 8]
    assert value[:, 0].tolist() == [4, 9]
    assert torch.equal(internvl.fuse_heads((query, key, value), 1), fused)


def test_lora_as_stored_and_merged():
    model = build(lora=True)
    published = published_lora(model)
    assert any(key.endswith("wqkv.lora_A.default.weight") for key in published)
    wrapped = build(lora=True, seed=1)
    load_state_dict_strict(wrapped, published)
    assert equal(wrapped.state_dict(), model.state_dict())
    merged = build(seed=1)
    load_state_dict_strict(merged, published)
    weight = merged.mllm.adapter.language_model.layers[0].self_attn.k_proj.weight
    layer = model.mllm.adapter.language_model.layers[0].self_attn.k_proj
    delta = layer.lora_B.default.weight @ layer.lora_A.default.weight
    torch.testing.assert_close(weight, layer.base_layer.weight + 2.0 * delta)


def test_lora_that_does_not_fit_the_published_form():
    with pytest.raises(ValueError, match=r"must have one shared input projection.*merge LoRA"):
        published_of(build(lora=True))


def write(folder, state, *, shards, form):
    """Write a published folder in shards of either form."""
    folder.mkdir()
    keys = sorted(state)
    names, places = [], {}
    for index in range(shards):
        stem, suffix = (
            ("model", "safetensors") if form == "safetensors" else ("pytorch_model", "bin")
        )
        name = (
            f"{stem}-{index + 1:05}-of-{shards:05}.{suffix}" if shards > 1 else f"{stem}.{suffix}"
        )
        part = {key: state[key].contiguous().clone() for key in keys[index::shards]}
        if form == "safetensors":
            save_file(part, folder / name)
        else:
            torch.save(part, folder / name)
        names.append(name)
        places |= dict.fromkeys(part, name)
    if shards > 1:
        stem = "model.safetensors" if form == "safetensors" else "pytorch_model.bin"
        (folder / f"{stem}.index.json").write_text(json.dumps({"weight_map": places}))
    return folder


@pytest.mark.parametrize("form", ["safetensors", "bin"])
@pytest.mark.parametrize("shards", [1, 3])
def test_folders(tmp_path, form, shards):
    model = build()
    state = published_of(model)
    folder = write(tmp_path / "published", state, shards=shards, form=form)
    content = load_checkpoint(folder)["state_dict"]
    assert isinstance(content, ShardedState)
    assert equal(content, state)
    other = build(seed=1)
    assert load_state_dict_strict(other, content).complete
    assert equal(other.state_dict(), model.state_dict())


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("has_lora", [False, True])
def test_folders_load_with_and_without_lora(tmp_path, wrapped, has_lora):
    model = build(lora=has_lora)
    state = published_lora(model) if has_lora else published_of(model)
    folder = write(tmp_path / "published", state, shards=2, form="safetensors")
    streamed, whole = build(lora=wrapped, seed=1), build(lora=wrapped, seed=1)
    for other in (streamed, whole):
        for name, parameter in other.named_parameters():
            if "lora_B" in name:
                parameter.data.zero_()
    load_state_dict_strict(streamed, load_checkpoint(folder)["state_dict"])
    load_state_dict_strict(whole, state)
    torch.testing.assert_close(streamed.state_dict(), whole.state_dict())


def test_a_mismatching_folder_leaves_the_model_unchanged(tmp_path):
    state = published_of(build())
    del state["res_decoder.conv2.bias"]
    folder = write(tmp_path / "published", state, shards=2, form="safetensors")
    other = build(seed=1)
    before = {key: value.clone() for key, value in other.state_dict().items()}
    with pytest.raises(CheckpointMismatchError, match=r"decoder\.refine\.bias"):
        load_state_dict_strict(other, load_checkpoint(folder)["state_dict"])
    assert equal(other.state_dict(), before)


def test_broken_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match="is a folder without weights"):
        load_checkpoint(tmp_path)
    state = published_of(build())
    folder = write(tmp_path / "published", state, shards=3, form="safetensors")
    (folder / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="got none for model-00002-of-00003"):
        load_checkpoint(folder)


def test_training_starts_from_a_published_internvl(tmp_path):
    source = build()
    state = internvl.LAYOUT.to_published(source.state_dict(), source)
    assert recognize_layout(state.keys()) is internvl.LAYOUT
    for key in ("language_model.model.tok_embeddings.weight", "language_model.output.weight"):
        state[key] = state[key][:-2]  # without [SEG] and [REJ]
    folder = write(tmp_path / "InternVL", state, shards=2, form="safetensors")
    model = build(lora=True, seed=1, pretrained=str(folder))
    lora = {key: v.clone() for key, v in model.state_dict().items() if "lora_" in key}
    model.mllm.init_weights()
    ours = model.mllm.state_dict()
    head = ours["adapter.model.lm_head.weight"]
    torch.testing.assert_close(head[:-2], source.mllm.adapter.model.lm_head.weight[:-2])
    torch.testing.assert_close(head[-2:], head[:-2].mean(0).expand(2, -1))
    name = "adapter.model.model.language_model.layers.1.self_attn.q_proj"
    assert torch.equal(
        ours[f"{name}.base_layer.weight"], source.mllm.state_dict()[f"{name}.weight"]
    )
    assert all(torch.equal(model.state_dict()[key], value) for key, value in lora.items())


def test_our_checkpoints_load_with_and_without_lora():
    wrapped, plain = build(lora=True), build(seed=1)
    assert recognize_layout(wrapped.state_dict().keys()) is None
    for name, parameter in wrapped.named_parameters():
        if "lora_B" in name:
            parameter.data.zero_()
    load_state_dict_strict(wrapped, plain.state_dict())
    name = "mllm.adapter.model.model.language_model.layers.0.mlp.up_proj"
    assert torch.equal(
        wrapped.state_dict()[f"{name}.base_layer.weight"], plain.state_dict()[f"{name}.weight"]
    )
    with pytest.raises(ValueError, match="alpha / r is unknown"):
        load_state_dict_strict(plain, wrapped.state_dict())


def test_unknown_keys_and_missing_model():
    state = published_of(build())
    with pytest.raises(ValueError, match="do not show how the attention heads are fused"):
        mllmseg.LAYOUT.to_ours(state, None)
    with pytest.raises(ValueError, match=r"width of a published one.*got 32.*--config"):
        mllmseg.LAYOUT.to_published(build().state_dict())
    qwen2 = build("qwen2")
    assert equal(mllmseg.LAYOUT.to_published(qwen2.state_dict()), published_of(qwen2))
    with pytest.raises(ValueError, match=r"neck\.bias has no counterpart in the published MLLMSeg"):
        mllmseg.LAYOUT.to_published({**qwen2.state_dict(), "neck.bias": torch.zeros(1)})
    with pytest.raises(ValueError, match=r"res_decoder\.extra is not a key of the publ"):
        mllmseg.LAYOUT.to_ours({**state, "res_decoder.extra": torch.zeros(1)}, build())
