import pytest
import torch

from vgtoolbox.checkpoint.lora import has_language_model, has_lora, merged_lora
from vgtoolbox.checkpoint.prefixes import ADAPTER_PREFIX
from vgtoolbox.models.mllm import (
    CHAT_TEMPLATES,
    BranchedSequence,
    PackedBatch,
    share_prefix,
)
from vgtoolbox.models.mllm.adapters.base import Placeholders
from vgtoolbox.structures import IMAGE_MARK

QUESTIONS = ["red", "the big circle on the left", "a square", "all small green shapes"]
TARGETS = ["q_proj", "v_proj", "down_proj"]


@pytest.fixture
def mllm(build_mllmseg):
    return build_mllmseg().mllm.eval()


def conversations(mllm):
    return [mllm.encode_turns([(f"{IMAGE_MARK}{q}", f"{q} [SEG]")], 4) for q in QUESTIONS]


@torch.no_grad()
def alone(mllm, features, encoded, image):
    one = type(features)(features.patches, features.grid, features.tokens[image : image + 1])
    return mllm.run(mllm.pack([BranchedSequence(encoded)]), one).last[0]


@torch.no_grad()
def test_padded_conversations_equal_single_ones(mllm):
    features = mllm.encode_images(torch.randn(4, 3, 32, 32))
    encoded = conversations(mllm)
    assert len({len(each) for each in encoded}) == 4
    together = mllm.run(mllm.pack([BranchedSequence(each) for each in encoded]), features).last
    for i, each in enumerate(encoded):
        torch.testing.assert_close(together[i, : len(each)], alone(mllm, features, each, i))


@torch.no_grad()
def test_branches_equal_separate_conversations(mllm):
    features = mllm.encode_images(torch.randn(2, 3, 32, 32))
    encoded = conversations(mllm)
    rows = [share_prefix(encoded[:3]), share_prefix(encoded[3:])]
    packed = mllm.pack(rows)
    states = mllm.run(packed, features).last
    for row, first in ((0, 0), (1, 3)):
        prefix = len(rows[row].prefix)
        assert prefix > 4  # the image is in it
        for number in range(len(rows[row].branches)):
            expected = alone(mllm, features, encoded[first + number], row)
            torch.testing.assert_close(states[row, :prefix], expected[:prefix])
            own = states[row][packed.branch[row] == number + 1]
            torch.testing.assert_close(own, expected[prefix:])


@torch.no_grad()
def test_every_layer_on_request(mllm):
    packed = PackedBatch.from_ids(torch.tensor([[1, 5, 6]]))
    output = mllm.run(packed, all_layers=True)
    assert len(output.layers) == 3  # embeddings and two layers
    assert torch.equal(output.layers[-1], output.last)


@torch.no_grad()
def test_features_replace_tokens_or_are_added(mllm):
    ids, features = torch.tensor([[7, 3, 7]]), torch.randn(2, 32)
    plain = mllm.adapter.embed(ids)
    replaced = mllm.adapter.embed(ids, (Placeholders(7, features),))
    torch.testing.assert_close(replaced[0, [0, 2]], features)
    torch.testing.assert_close(replaced[0, 1], plain[0, 1])
    added = mllm.adapter.embed(ids, (Placeholders(7, features, add=True),))
    torch.testing.assert_close(added[0, [0, 2]], plain[0, [0, 2]] + features)
    with pytest.raises(ValueError, match="got 1 occurrences and 2 features"):
        mllm.adapter.embed(ids, (Placeholders(3, features),))


def trained(model):
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def test_everything_is_frozen_except_lora(build_mllmseg):
    mllm = build_mllmseg(
        mllm={"trainable": [], "lora": {"targets": TARGETS, "rank": 2, "alpha": 4}}
    ).mllm
    names = trained(mllm)
    assert len(names) == 2 * 2 * len(TARGETS)  # layers, A and B
    assert all("language_model" in name and "lora_" in name for name in names)


@pytest.mark.parametrize(
    ("part", "names"),
    [
        ("final_norm", {"model.language_model.norm.weight"}),
        ("embeddings", {"lm_head.weight", "model.language_model.embed_tokens.weight"}),
        ("new_rows", {"lm_head.new", "model.language_model.embed_tokens.new"}),
    ],
)
def test_trainable_parts_by_name(build_mllmseg, part, names):
    mllm = build_mllmseg(mllm={"trainable": [part]}).mllm
    assert trained(mllm.adapter.model) == names


def test_trainable_module_by_path(build_mllmseg):
    mllm = build_mllmseg(mllm={"trainable": ["model.multi_modal_projector"]}).mllm
    assert all("multi_modal_projector" in name for name in trained(mllm))
    with pytest.raises(ValueError, match=r"must contain new_rows.*got .model\.mlp1."):
        build_mllmseg(mllm={"trainable": ["model.mlp1"]})


@torch.no_grad()
def test_lora_starts_at_zero_and_merges(build_mllmseg):
    plain = build_mllmseg().mllm
    wrapped = build_mllmseg(mllm={"lora": {"targets": TARGETS, "rank": 2, "alpha": 4}}).mllm
    base = {key.replace(".base_layer.", "."): v for key, v in wrapped.state_dict().items()}
    plain.load_state_dict({key: v for key, v in base.items() if "lora_" not in key})
    packed = PackedBatch.from_ids(torch.tensor([[1, 5, 6, 7]]))
    torch.testing.assert_close(plain.run(packed).last, wrapped.run(packed).last)
    for name, parameter in wrapped.named_parameters():
        if "lora_B" in name:
            parameter.normal_()
    assert has_lora(wrapped.state_dict())
    assert not torch.allclose(plain.run(packed).last, wrapped.run(packed).last, atol=1e-3)
    plain.load_state_dict(merged_lora(wrapped.state_dict(), scaling=2.0))
    torch.testing.assert_close(plain.run(packed).last, wrapped.run(packed).last)


def test_gradient_checkpointing_changes_no_gradient(build_mllmseg):
    gradients = []
    for checkpointing in (False, True):
        mllm = build_mllmseg(mllm={"gradient_checkpointing": checkpointing}).mllm.train()
        packed = PackedBatch.from_ids(torch.tensor([[1, 5, 6, 7]]))
        mllm.run(packed).last.square().sum().backward()
        gradients.append(mllm.adapter.language_model.layers[0].mlp.up_proj.weight.grad)
    torch.testing.assert_close(*gradients)


def test_conventions_of_the_adapter_are_the_default(build_mllmseg):
    names = ("chat", "image_token", "image_text")
    mllm = build_mllmseg(mllm=dict.fromkeys(names)).mllm
    assert mllm.chat == CHAT_TEMPLATES["internvl2_5"]
    assert mllm.image_token == "<IMG_CONTEXT>"
    assert mllm.with_image(IMAGE_MARK, 2) == "<img><IMG_CONTEXT><IMG_CONTEXT></img>"
    own = build_mllmseg(mllm={"chat": "plain", "image_token": "<i>", "image_text": "{image}"}).mllm
    assert own.chat == CHAT_TEMPLATES["plain"]
    assert own.with_image(IMAGE_MARK, 2) == "<i><i>"


def test_a_grounder_keeps_its_adapter_under_the_common_prefix(build_mllmseg):
    model = build_mllmseg()
    adapter = {f"{ADAPTER_PREFIX}{key}" for key in model.mllm.adapter.state_dict()}
    assert {key for key in model.state_dict() if key.startswith("mllm.")} == adapter
    assert has_language_model(model.state_dict())
