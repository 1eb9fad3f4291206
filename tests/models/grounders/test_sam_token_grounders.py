"""LISA, READ and UGround in small sizes: batches, empty batches, options and errors."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData

from vgtoolbox.registry import MODELS
from vgtoolbox.structures import (
    Conversation,
    GroundingDataSample,
    Turn,
    decode_masks,
    encode_masks,
)

WORKER = Path(__file__).with_name("distributed_worker.py")
CONFIGS = Path(__file__).parents[3] / "configs"
SYSTEMS = ("LISA", "READ", "UGround")
SIZE = 96
WORDS = ("the red circle", "a big blue square on the left", "all shapes", "the left", "red")
SMALLER = {
    "mllm": {
        "adapter": {
            "text_config": {
                "hidden_size": 32,
                "intermediate_size": 48,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "num_key_value_heads": 2,
            },
            "vision_config": {
                "hidden_size": 32,
                "intermediate_size": 48,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
            },
        }
    },
    "image_encoder": {"embed_dim": 32, "depth": 2, "num_heads": 2, "out_channels": 32},
    "prompt_encoder": {"channels": 32},
    "mask_decoder": {"channels": 32, "num_heads": 2, "ffn_channels": 48},
}


@pytest.fixture
def build(tokenizer_file):
    """Return a function that builds a small system from seed 0, with changes to its config."""

    def make(system, **changes):
        config = Config.fromfile(CONFIGS / "shapes" / f"{system}-tiny-shapes.py")
        config.merge_from_dict({"model": SMALLER})
        if system == "UGround":
            config.merge_from_dict({"model": {"policy": {"num_layers": 3, "channels": 32}}})
        config.model.mllm.tokenizer.model_file = str(tokenizer_file)
        config.merge_from_dict({"model": changes})
        torch.manual_seed(0)
        return MODELS.build(config.model)

    return make


def content(size):
    scale = SIZE / max(size)
    return max(1, int(size[0] * scale + 0.5)), max(1, int(size[1] * scale + 0.5))


def make_inputs(sizes, seed=0):
    """Make the inputs of images of some original sizes."""
    generator = torch.Generator().manual_seed(seed)
    images, clip, valid = [], [], []
    for size in sizes:
        mask = torch.zeros(SIZE, SIZE, dtype=torch.bool)
        mask[: content(size)[0], : content(size)[1]] = True
        images.append(torch.randn(3, SIZE, SIZE, generator=generator) * mask)
        clip.append(torch.randn(3, SIZE, SIZE, generator=generator) * mask)
        valid.append(mask)
    return {
        "images": torch.stack(images),
        "views": {"clip": torch.stack(clip)},
        "valid": {"clip": torch.stack(valid)},
    }


def pick(inputs, index):
    return {
        key: {name: each[index] for name, each in value.items()}
        if isinstance(value, dict)
        else value[index]
        for key, value in inputs.items()
    }


def make_sample(size, expression=0):
    return GroundingDataSample(
        metainfo={
            "ori_shape": size,
            "img_shape": content(size),
            "expression": WORDS[expression % len(WORDS)],
        },
        gt_instances=InstanceData(boxes_xyxy=torch.zeros(1, 4)),
    )


def make_training(sizes, counts, no_target=()):
    """Make samples of images with `counts[i]` conversations; some of all have no target."""
    samples, number = [], 0
    for size, count in zip(sizes, counts, strict=True):
        height, width = content(size)
        masks = torch.zeros(max(count, 1), height, width, dtype=torch.bool)
        conversations = []
        for i in range(count):
            masks[i, : max(1, height // (i + 2)), : max(1, width // 2)] = True
            is_target = number not in no_target
            turn = Turn(f"<image>{WORDS[number % 5]}", "[SEG]" if is_target else "[REJ]")
            conversations.append(Conversation((turn,), ((i,) if is_target else (),)))
            number += 1
        sample = make_sample(size)
        sample.gt_instances = InstanceData(boxes_xyxy=torch.zeros(len(masks), 4), masks=masks)
        sample.set_metainfo({"conversations": tuple(conversations)})
        samples.append(sample)
    return samples


def total(losses):
    return sum(value for name, value in losses.items() if name.startswith("loss_"))


SIZES = [(60, 80), (10, 120), (33, 33), (120, 10)]


@torch.no_grad()
@pytest.mark.parametrize("mode", ["constrained", "generate", "teacher_forced"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_batch_equals_single_images(build, system, mode):
    options = {"test_layer": "fixed", "fixed_layer": 1} if system == "UGround" else {}
    postprocessor = {"type": "TokenMaskPostprocessor", "keep_rejected": True}
    model = build(system, answer_mode=mode, postprocessor=postprocessor, **options).eval()
    decoded = []
    decode = model.decode
    model.decode = lambda *args: decoded.append(decode(*args)) or decoded[-1]
    inputs = make_inputs(SIZES)
    image = [0, 0, 0, 1, 2, 2, 3]
    samples = [make_sample(SIZES[i], n) for n, i in enumerate(image)]
    together = model.predict(pick(inputs, image), samples)
    masks, decoded[:] = torch.cat(decoded), []
    for i in range(len(SIZES)):
        own = [make_sample(SIZES[i], n) for n, each in enumerate(image) if each == i]
        model.predict(pick(inputs, [i] * len(own)), own)
        expected = [each for each, n in zip(together, image, strict=True) if n == i]
        for a, b in zip(own, expected, strict=True):
            assert a.pred_existence == pytest.approx(b.pred_existence, abs=1e-5)
            assert a.pred_no_target == b.pred_no_target
    torch.testing.assert_close(torch.cat(decoded), masks, rtol=0, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("system", SYSTEMS)
def test_predictions_have_the_size_of_the_image(build, system):
    model = build(system, answer_mode="teacher_forced").eval()
    samples = [make_sample(SIZES[1], 0)]
    (predicted,) = model.predict(pick(make_inputs(SIZES), [1]), samples)
    assert decode_masks([predicted.pred_merged_mask]).shape == (1, 10, 120)
    with pytest.raises(ValueError, match=f"{system} decides without a threshold, got 0.5"):
        model.predict(pick(make_inputs(SIZES), [1]), samples, score_thr=0.5)


@pytest.mark.parametrize("system", SYSTEMS)
def test_it_overfits_a_batch(build, system):
    model = build(system).train()
    inputs, samples = make_inputs(SIZES[:2]), make_training(SIZES[:2], (2, 1), no_target=(1,))
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    masks = []
    for _ in range(40):
        losses = model.loss(inputs, samples)
        masks.append(float((losses["loss_bce"] + losses["loss_dice"]).detach()))
        optimizer.zero_grad()
        total(losses).backward()
        optimizer.step()
    assert masks[-1] < 0.6 * masks[0]


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("no_target", [(), (0, 1)])
def test_every_weight_has_a_gradient(build, system, no_target):
    model = build(system).train()
    losses = model.loss(make_inputs(SIZES[:1]), make_training(SIZES[:1], (2,), no_target))
    total(losses).backward()
    missing = {name for name, p in model.named_parameters() if p.requires_grad and p.grad is None}
    assert missing == set()
    assert not no_target or float(losses["loss_bce"].detach()) == 0


def test_conversations_of_an_image_share_a_row(build):
    """The losses are those of two samples with the same image and one conversation each."""
    model = build("LISA", language_weight=0.0).eval()
    inputs, (sample,) = make_inputs(SIZES[:1]), make_training(SIZES[:1], (2,))
    shared = model.loss(inputs, [sample])
    parts = []
    for conversation in sample.conversations:
        part = sample.clone()
        part.set_metainfo({"conversations": (conversation,)})
        parts.append(part)
    separate = model.loss(pick(inputs, [0, 0]), parts)
    for name, value in shared.items():
        torch.testing.assert_close(value, separate[name], rtol=1e-5, atol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("rule", ["last", "sampled", "argmax", "fixed", "mean_topk"])
def test_layers_of_uground_in_tests(build, rule):
    model = build("UGround", test_layer=rule, top_k=2).eval()
    model.policy.weight.normal_()
    samples = [make_sample(SIZES[0], n) for n in range(3)]
    first = model.predict(pick(make_inputs(SIZES), [0] * 3), samples)
    again = model.predict(pick(make_inputs(SIZES), [0] * 3), [s.clone() for s in samples])
    assert [s.pred_merged_mask for s in first] == [s.pred_merged_mask for s in again]
    assert model.protocol_settings["test_layer"] == rule
    assert model.all_layers == (rule != "last")


@torch.no_grad()
def test_a_constant_similarity_map_prompts_with_zeros(build):
    model = build("UGround").eval()
    model.mllm.adapter.language_model.norm.weight.zero_()
    model.test_layer = "last"
    model.answer_mode = "teacher_forced"
    decoded = []
    decode = model.decode
    model.decode = lambda *args: decoded.append(decode(*args)) or decoded[-1]
    model.predict(pick(make_inputs(SIZES), [0]), [make_sample(SIZES[0])])
    assert bool(decoded[0].isfinite().all())


def test_a_resumed_policy_samples_the_same_layers(build):
    def layers(model, steps):
        logits = torch.zeros(6, 3)
        return [model.policy.sample(logits).tolist() for _ in range(steps)]

    whole = layers(build("UGround").train(), 4)
    first = build("UGround").train()
    begin = layers(first, 2)
    resumed = build("UGround").train()
    resumed.load_state_dict(first.state_dict())
    assert begin + layers(resumed, 2) == whole
    assert len({tuple(each) for each in whole}) > 1
    assert build("UGround").policy.sample(torch.zeros(6, 3), rank=1).tolist() != whole[0]


def test_the_baseline_of_the_policy_is_resumed(build):
    model = build("UGround").train()
    model.loss(make_inputs(SIZES[:1]), make_training(SIZES[:1], (2,)))
    assert float(model.policy_loss.average) < 0
    resumed = build("UGround")
    resumed.load_state_dict(model.state_dict())
    assert float(resumed.policy_loss.average) == float(model.policy_loss.average)


def test_a_frozen_image_encoder_has_no_gradient(build):
    model = build("LISA", freeze_image_encoder=True, train_prompt_encoder=False).train()
    total(model.loss(make_inputs(SIZES[:1]), make_training(SIZES[:1], (1,)))).backward()
    assert all(p.grad is None for p in model.image_encoder.parameters())
    assert all(p.grad is None for p in model.prompt_encoder.parameters())
    assert model.mask_decoder.decoder.upscale_conv1.weight.grad is not None


@pytest.mark.parametrize(
    ("system", "options", "message"),
    [
        ("LISA", {"prompts": "poem"}, "prompts must be"),
        ("UGround", {"train_layers": "all"}, "train_layers must be"),
        ("UGround", {"test_layer": "best"}, "test_layer must be"),
        ("UGround", {"policy_loss": {"baseline": "none"}}, "baseline must be"),
        ("UGround", {"policy_loss": {"baseline": "critic"}}, "num_layers must be given"),
    ],
)
def test_unknown_options(build, system, options, message):
    with pytest.raises(ValueError, match=message):
        build(system, **options)


def test_masks_are_compared_in_the_original_frame(build):
    model = build("UGround", target_frame="original")
    size = SIZES[0]
    sample = make_training([size], (1,))[0]
    masks = torch.zeros(1, *size, dtype=torch.bool)
    masks[:, :30] = True
    sample.gt_instances_ori = InstanceData(boxes_xyxy=torch.zeros(1, 4), masks=encode_masks(masks))
    losses = model.loss(make_inputs([size]), [sample])
    assert all(bool(value.isfinite().all()) for value in losses.values())


@pytest.mark.parametrize("no_target", [(), (2, 3)], ids=["all", "one_without_any_target"])
@pytest.mark.parametrize("system", ["READ", "UGround"])
def test_two_processes_equal_one_with_the_whole_batch(build, tmp_path, system, no_target):
    """Averaged over the processes, losses and gradients are those of the whole batch."""
    model = build(system).train()
    if system == "UGround":
        model.policy.weight.data.normal_()
    inputs, samples = make_inputs(SIZES[:2]), make_training(SIZES[:2], (2, 2), no_target)
    state = {"model": model, "inputs": inputs, "samples": samples}
    (tmp_path / "state.pkl").write_bytes(pickle.dumps(state))
    if system == "UGround":
        model.policy.sample = lambda logits, rank=0: logits.argmax(1)
    losses = model.loss(inputs, samples)
    total(losses).backward()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.fspath(WORKER.parents[3])}
    processes = [
        subprocess.Popen(
            [sys.executable, WORKER, tmp_path, str(rank), "ddp"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    for process in processes:
        output, _ = process.communicate(timeout=280)
        assert process.returncode == 0, output
    ranks = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    for name, value in losses.items():
        if name.startswith("loss_"):
            mean = (ranks[0]["losses"][name] + ranks[1]["losses"][name]) / 2
            torch.testing.assert_close(mean, value.detach(), rtol=1e-5, atol=1e-6)
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            for rank in ranks:
                ours = rank["gradients"][name]
                torch.testing.assert_close(ours, parameter.grad, rtol=1e-4, atol=1e-6)
