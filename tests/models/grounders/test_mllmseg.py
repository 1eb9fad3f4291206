import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.optim import OptimWrapper

from vgtoolbox.models.grounders import MLLMSegOutput
from vgtoolbox.structures import REJECT_MARK, TARGET_MARK, GroundingDataSample, decode_masks

WORKER = Path(__file__).with_name("distributed_worker.py")
ANSWER_MODES = ("constrained", "generate", "teacher_forced")


def total(losses):
    return sum(value for name, value in losses.items() if "loss" in name)


def one_by_one(inputs, samples):
    """Yield each sample with its image, as a batch of its own."""
    for i, sample in enumerate(samples):
        image = int(inputs["image_index"][i])
        yield {"images": inputs["images"][image : image + 1]}, [sample.clone()]


def test_raw_outputs(build_mllmseg):
    model = build_mllmseg().eval()
    seg, rej = model.target_ids
    image = model.mllm.image_token_id
    ids = torch.tensor([[1, image, image, image, image, 5, seg, rej, 6, seg]])
    with torch.no_grad():
        output = model({"images": torch.randn(1, 3, 32, 32), "token_ids": ids})
    assert isinstance(output, MLLMSegOutput)
    assert output.target_position.tolist() == [6, 9]
    assert output.mask_logits.shape == (2, 32, 32)
    assert output.fused.shape == output.patches.shape == (1, 16, 32)
    assert output.logits.shape == (1, 10, 576)


@torch.no_grad()
@pytest.mark.parametrize("mode", ["constrained", "generate"])
def test_shared_prefix_equals_one_pass_per_expression(build_mllmseg, make_conversations, mode):
    model = build_mllmseg(answer_mode=mode, postprocessor={"resize": "probabilities"}).eval()
    inputs, samples = make_conversations((4, 1))
    decode = model.decoder.forward
    masks = []
    model.decoder.forward = lambda *args: masks.append(decode(*args).sigmoid()) or masks[-1].logit()
    together = [sample.clone() for sample in samples]
    model.predict(inputs, together)
    shared, masks[:] = torch.cat(masks), []
    alone = [model.predict(*batch)[0] for batch in one_by_one(inputs, samples)]
    torch.testing.assert_close(shared, torch.cat(masks), rtol=0, atol=1e-5)
    for a, b in zip(together, alone, strict=True):
        assert a.pred_no_target == b.pred_no_target
        assert a.pred_existence == pytest.approx(b.pred_existence, abs=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("mode", ANSWER_MODES)
def test_every_answer_mode_fills_every_sample(build_mllmseg, make_conversations, mode):
    model = build_mllmseg(answer_mode=mode).eval()
    inputs, samples = make_conversations((2, 1), no_target=(1,))
    predicted = model.predict(inputs, samples)
    assert len(predicted) == 3
    for sample in predicted:
        assert 0 <= sample.pred_existence <= 1
        assert decode_masks([sample.pred_merged_mask]).shape[1:] == sample.ori_shape
        assert len(sample.pred_instances) <= 1
    assert model.protocol_settings["answer_mode"] == mode
    assert all(("pred_text" in sample) == (mode == "generate") for sample in predicted)


@torch.no_grad()
def test_adjacent_samples_with_equal_pixels_share_one_image(build_mllmseg, make_conversations):
    """The inferencer passes one image per expression."""
    model = build_mllmseg().eval()
    inputs, samples = make_conversations((3, 1))
    repeated = {"images": inputs["images"][inputs["image_index"]]}
    calls = []
    encode = model.mllm.encode_images
    model.mllm.encode_images = lambda images: calls.append(len(images)) or encode(images)
    model.predict(repeated, samples)
    assert calls == [2]


@pytest.mark.parametrize("packing", ["joint", "separate"])
def test_it_overfits_a_batch(build_mllmseg, make_conversations, to_training, packing):
    model = build_mllmseg().train()
    inputs, samples = make_conversations((3, 1), no_target=(2,))
    batch = to_training(inputs, samples, packing=packing)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    first = None
    for _ in range(40):
        losses = model(*batch, mode="loss")
        first = first or float(total(losses).detach())
        optimizer.zero_grad()
        total(losses).backward()
        optimizer.step()
    assert float(total(losses).detach()) < 0.5 * first
    if packing == "separate":
        with torch.no_grad():
            rejected = [s.pred_no_target for s in model.eval().predict(inputs, samples)]
        assert rejected == [False, False, True, False]


def test_losses_of_the_original_frame_and_the_input(build_mllmseg, make_conversations, to_training):
    inputs, samples = to_training(*make_conversations((1,)))
    losses = build_mllmseg().loss(inputs, samples)
    assert set(losses) == {"loss_language", "loss_focal", "loss_dice", "soft_iou"}
    assert not losses["soft_iou"].requires_grad
    with pytest.raises(AttributeError):
        build_mllmseg(target_frame="original").loss(inputs, samples)


def test_every_weight_has_a_gradient_without_any_target(
    build_mllmseg, make_conversations, to_training
):
    model = build_mllmseg().train()
    inputs, samples = to_training(*make_conversations((2,), no_target=(0, 1)))
    losses = model.loss(inputs, samples)
    total(losses).backward()
    missing = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert missing == []
    assert float(losses["loss_dice"].detach()) == 0


def test_the_runner_trains_it(build_mllmseg, make_conversations, to_training):
    model = build_mllmseg()
    inputs, samples = to_training(*make_conversations((2, 1)))
    pixels = torch.randint(0, 256, inputs["images"].shape, dtype=torch.uint8)
    batch = {"inputs": inputs | {"images": pixels}, "data_samples": samples}
    logged = model.train_step(batch, OptimWrapper(torch.optim.SGD(model.parameters(), 0.1)))
    summed = sum(value for name, value in logged.items() if name.startswith("loss_"))
    torch.testing.assert_close(logged["loss"], summed)


@pytest.mark.parametrize("lora", [None, {"targets": ["q_proj"], "rank": 2, "alpha": 4}])
def test_half_precision_language_model(build_mllmseg, make_conversations, to_training, lora):
    """Trained weights and all modules after the language model stay in single precision."""
    adapter = {"dtype": "bfloat16"}
    trainable = ["embeddings", "final_norm"]
    model = build_mllmseg(mllm={"adapter": adapter, "lora": lora, "trainable": trainable})
    dtypes = {p.dtype for p in model.parameters() if p.requires_grad}
    assert dtypes == {torch.float32}
    assert next(model.mllm.adapter.model.model.vision_tower.parameters()).dtype == torch.bfloat16
    inputs, samples = make_conversations((2, 1), no_target=(1,))
    total(model.loss(*to_training(inputs, samples))).backward()
    for mode in ANSWER_MODES:
        model.answer_mode = mode
        with torch.no_grad():
            model.eval().predict(inputs, samples)


def test_teacher_forcing_needs_annotations(build_mllmseg, make_conversations):
    inputs, (sample,) = make_conversations((1,))
    samples = [GroundingDataSample(metainfo=dict(sample.metainfo_items()))]
    with pytest.raises(ValueError, match=r"set model\.answer_mode=constrained"):
        build_mllmseg(answer_mode="teacher_forced").predict(inputs, samples)


def test_expressions_must_not_contain_target_tokens(make_conversations, to_training):
    inputs, samples = make_conversations((1,))
    samples[0].set_metainfo({"expression": f"the {TARGET_MARK} {REJECT_MARK}"})
    prompts = {"questions": ["<image>"], "answers": [["Sure, ", "{expression} {token}"]]}
    with pytest.raises(ValueError, match=r"for each of the 1 targets, got 3"):
        to_training(inputs, samples, prompts=prompts)


def test_training_samples_must_have_conversations(build_mllmseg, make_conversations):
    inputs, samples = make_conversations((1,))
    with pytest.raises(ValueError, match="add WriteReferringConversations to the pipeline"):
        build_mllmseg().loss({"images": inputs["images"]}, samples)


@pytest.mark.parametrize(
    "options",
    [{"answer_mode": "beam"}, {"prompts": "poem"}, {"target_frame": "world"}],
)
def test_unknown_options(build_mllmseg, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        build_mllmseg(**options)


CLOSE = {"rtol": 1e-5, "atol": 1e-6}
RECIPE = {
    "adapter": {"dtype": "bfloat16"},
    "lora": {"targets": ["q_proj", "down_proj"], "rank": 2, "alpha": 4},
    "trainable": ["new_rows"],
}


@pytest.mark.parametrize(
    ("strategy", "no_target", "mllm"),
    [
        ("ddp", (1,), {}),
        ("ddp", (2, 3), {}),
        ("fsdp", (2, 3), {}),
        pytest.param("fsdp", (1,), RECIPE, marks=pytest.mark.slow),
    ],
    ids=["ddp", "ddp_one_without_any_target", "fsdp_one_without_any_target", "fsdp_recipe"],
)
def test_two_processes_equal_one_with_the_whole_batch(
    build_mllmseg, make_conversations, to_training, tmp_path, strategy, no_target, mllm
):
    """Averaged over the processes, losses and gradients are those of the whole batch."""
    model = build_mllmseg(mllm=mllm).train()
    tolerance = {"rtol": 0.1, "atol": 1e-2} if mllm else {"rtol": 1e-4, "atol": 1e-6}
    inputs, samples = to_training(*make_conversations((2, 2), no_target=no_target))
    state = {"model": model, "inputs": inputs, "samples": samples}
    (tmp_path / "state.pkl").write_bytes(pickle.dumps(state))
    losses = model.loss(inputs, samples)
    total(losses).backward()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.fspath(WORKER.parents[3])}
    processes = [
        subprocess.Popen(
            [sys.executable, WORKER, tmp_path, str(rank), strategy],
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
        mean = (ranks[0]["losses"][name] + ranks[1]["losses"][name]) / 2
        torch.testing.assert_close(mean, value.detach(), **(tolerance if mllm else CLOSE))
    for name, parameter in model.named_parameters():
        for rank in ranks:
            torch.testing.assert_close(rank["gradients"][name], parameter.grad, **tolerance)
