"""Parity of LISA, READ and UGround with recorded outputs of small published models."""

from __future__ import annotations

import json
import re
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from tests.parity.conftest import IdsTokenizer
from vgtoolbox.checkpoint import load_state_dict_strict
from vgtoolbox.checkpoint.layouts import lisa
from vgtoolbox.models.grounders import SAMTokenGrounder, SAMTokenOutput
from vgtoolbox.models.losses import gaussian_masks
from vgtoolbox.models.prompt_encoders import (
    mask_prompts,
    min_max,
    similarity_in_image,
    similarity_points,
)
from vgtoolbox.registry import MODELS
from vgtoolbox.structures import (
    Conversation,
    GroundingDataSample,
    Turn,
    decode_masks,
    encode_masks,
    referring_prompts,
    rle_areas,
)

RECORDINGS = "[lru][ieg]*_tiny_seed*.npz"
SEG, REJ, IM_START, IMAGE, IM_END, BOS, EOS = 196, 197, 198, -200, 199, 1, 2
SPECIAL = {"[SEG]": SEG, "[REJ]": REJ, "<image>": IMAGE}
NUM_IMAGE_TOKENS = 576
SYSTEMS = {"uground": "UGround", "read": "READ", "lisa": "LISA"}
LOW_RES = {"uground": 5e-4, "read": 3e-3, "lisa": 1.5e-3}


def shape(size: tuple[int, int], side: int) -> tuple[int, int]:
    return tuple(int(x * side / max(size) + 0.5) for x in size)


class Case:
    """Recorded outputs, the inputs they were recorded with, and our model with the same weights."""

    def __init__(self, path: Path, published_weights):
        self.name, seed = re.fullmatch(r"(\w+)_tiny_seed(\d+)", path.stem).groups()
        self.golden = np.load(path)
        self.sizes = json.loads(path.with_suffix(".json").read_text())
        self.published = published_weights(f"{self.name}_tiny", int(seed))
        self._draw(np.random.Generator(np.random.PCG64([int(seed), 12345])))

    def build(self, **changes) -> SAMTokenGrounder:
        """Build the model with the published weights, from random ids as texts."""
        llm, sam, weights = self.sizes["llm"], self.sizes["sam"], self.sizes["loss_weights"]
        model = MODELS.build(
            {
                "type": SYSTEMS[self.name],
                "mllm": {
                    "type": "MLLM",
                    "adapter": {
                        "type": "LLaVA",
                        "text_config": {"model_type": "llama", **llm},
                        "vision_config": self.sizes["clip"],
                    },
                    "tokenizer": {},
                    "chat": {
                        "system": "",
                        "user": "{text}",
                        "answer_start": "",
                        "answer_end": " 2",
                    },
                    "trainable": ["all"],
                },
                "image_encoder": {
                    "type": "SAMImageEncoder",
                    "embed_dim": sam["encoder_embed_dim"],
                    "depth": sam["encoder_depth"],
                    "num_heads": sam["encoder_num_heads"],
                    "global_blocks": sam["encoder_global_attn_indexes"],
                },
                "prompt_encoder": {"type": "SAMPromptEncoder"},
                "mask_decoder": {"type": "SAMMaskDecoder"},
                "mask_loss": {
                    "type": "TokenMaskBCEDiceLoss",
                    "bce_weight": weights["bce_loss_weight"],
                    "dice_weight": weights["dice_loss_weight"],
                },
                "postprocessor": {"type": "TokenMaskPostprocessor"},
                **({"policy": self._policy()} if self.name == "uground" else {}),
                **changes,
            }
        )
        model.mllm.__dict__["tokenizer"] = IdsTokenizer(SPECIAL, bos_id=BOS, eos_id=EOS)
        report = load_state_dict_strict(model, self.published, source=self.name)
        assert report.complete
        return model.eval()

    def _policy(self) -> dict:
        return {
            "type": "LayerPolicyHead",
            "num_layers": self.sizes["llm"]["num_hidden_layers"] + 1,
            "channels": self.sizes["llm"]["hidden_size"],
        }

    def _draw(self, rng: np.random.Generator) -> None:
        self.frames = [tuple(self.sizes["size"]), tuple(self.sizes["size2"])]
        clip_only_padded = self.name != "lisa"
        masks = []
        self.images, self.clip, self.clip_sizes, ids = [], [], [], []

        def words(count):
            return rng.integers(3, 190, count).tolist()

        for i, size in enumerate(self.frames):
            self.images.append(self._padded(rng, shape(size, 1024), 1024))
            clip_size = shape(size, 336) if clip_only_padded else (336, 336)
            self.clip.append(self._padded(rng, clip_size, 336))
            self.clip_sizes.append(clip_size)
            image = [IM_START, IMAGE, IM_END]
            if i == 0:
                ids.append([BOS, *words(4), *image, *words(9), SEG, *words(3), SEG, *words(1), EOS])
                continue
            second = REJ if self.name == "uground" else 5
            ids.append([BOS, *words(3), *image, *words(6), SEG, *words(2), second, EOS])
            ids.append([BOS, *words(2), *image, *words(4), SEG, EOS])
        for h, w in [self.frames[0]] * 2 + [self.frames[1]] * 2:
            y, x = rng.integers(0, h // 2), rng.integers(0, w // 2)
            height, width = rng.integers(h // 4, h // 2), rng.integers(w // 4, w // 2)
            mask = torch.zeros(h, w, dtype=torch.bool)
            mask[y : y + height, x : x + width] = True
            masks.append(mask)
        self.ids = ids
        self.masks = [torch.stack(masks[:2]), torch.stack(masks[2:])]

    @staticmethod
    def _padded(rng: np.random.Generator, size: tuple[int, int], side: int) -> torch.Tensor:
        image = torch.zeros(3, side, side)
        drawn = rng.standard_normal((3, *size), dtype=np.float32)
        image[:, : size[0], : size[1]] = torch.from_numpy(drawn)
        return image

    def inputs(self, *images: int) -> dict:
        """Return the inputs of some images."""
        views = {"clip": torch.stack([self.clip[i] for i in images])}
        inputs = {"images": torch.stack([self.images[i] for i in images]), "views": views}
        if self.name == "uground":
            valid = torch.zeros(len(images), 336, 336, dtype=torch.bool)
            for row, i in enumerate(images):
                height, width = self.clip_sizes[i]
                valid[row, :height, :width] = True
            inputs["valid"] = {"clip": valid}
        return inputs

    def expanded(self, ids: list[int]) -> torch.Tensor:
        """Return ids (1, L) with all image tokens."""
        place = ids.index(IMAGE)
        return torch.tensor([ids[:place] + [IMAGE] * NUM_IMAGE_TOKENS + ids[place + 1 :]])

    def turn(self, ids: list[int]) -> Turn:
        """Return ids as a question and an answer, which begins 4 ids after the end of the image."""
        decode = IdsTokenizer(SPECIAL, bos_id=BOS, eos_id=EOS).decode
        start = ids.index(IM_END) + 4
        return Turn(decode(ids[1:start]), decode(ids[start:-1]))

    def samples(self) -> list[GroundingDataSample]:
        """Return the two images of the training batch, the second with two conversations."""
        first, second, third = map(self.turn, self.ids)
        rejected = ((),) if self.name == "uground" else ()
        conversations = [
            (Conversation((first,), ((0,), (1,))),),
            (Conversation((second,), ((0,), *rejected)), Conversation((third,), ((1,),))),
        ]
        return [
            GroundingDataSample(
                metainfo={
                    "ori_shape": size,
                    "img_shape": shape(size, 1024),
                    "conversations": each,
                },
                gt_instances_ori=InstanceData(
                    boxes_xyxy=torch.zeros(len(masks), 4), masks=encode_masks(masks)
                ),
            )
            for size, masks, each in zip(self.frames, self.masks, conversations, strict=True)
        ]

    @cached_property
    def output(self) -> SAMTokenOutput:
        with torch.no_grad():
            return self.build().tensor(
                {
                    **self.inputs(0),
                    "token_ids": self.expanded(self.ids[0]),
                    "sizes": [self.frames[0]],
                }
            )


@pytest.fixture(scope="module")
def case(recording, published_weights) -> Case:
    return Case(recording, published_weights)


def close(ours: torch.Tensor, golden: np.ndarray, atol: float, name: str) -> None:
    np.testing.assert_allclose(ours.detach().numpy(), golden, rtol=0, atol=atol, err_msg=name)


def test_the_inputs_are_those_of_the_recording(case):
    assert case.ids[0] == case.golden["input_ids"].ravel().tolist()
    sums = [image.double().abs().sum().item() for image in (case.images[0], case.clip[0])]
    expected = [float(case.golden["checksum_sam"]), float(case.golden["checksum_clip"])]
    assert sums == pytest.approx(expected, rel=1e-6)


def test_raw_outputs(case):
    golden, output = case.golden, case.output
    close(output.patches[0, ::7], golden["clip.features"], 2e-4, "clip.features")
    close(output.image_tokens[0, ::7], golden["clip.projected"], 2e-4, "clip.projected")
    close(output.states[0, ::7], golden["llm.hidden_last"], 2e-4, "llm.hidden_last")
    close(output.maps[0, ::8, 1::4, 2::4], golden["sam.embedding"], 1e-4, "sam.embedding")
    logits = output.logits[0, output.target_position - 1]
    close(logits, golden["llm.logits_seg"], 2e-4, "llm.logits_seg")
    sparse = output.prompts.sparse
    sparse = sparse[..., ::4] if case.name == "read" else sparse
    close(sparse, golden["sparse.all"], 1e-4, "sparse.all")
    close(output.prompts.dense[:, ::16, 1::4, 2::4], golden["dense"], 1e-4, "dense")
    if output.similarity is not None:
        close(output.similarity, golden["sim.raw"], 2e-3, "sim.raw")


def test_masks(case):
    golden, output, atol = case.golden, case.output, LOW_RES[case.name]
    close(output.low_res_logits[:, None, 1::4, 2::4], golden["low_res"], atol, "low_res")
    total = output.low_res_logits.double().sum((1, 2)).numpy()
    np.testing.assert_allclose(total, golden["low_res_sum"].ravel(), rtol=1e-3)
    close(output.iou[:, None], golden["iou"], 1e-3 if case.name == "read" else 1e-4, "iou")
    masks = torch.stack(output.mask_logits)
    close(masks, golden["masks"], atol, "masks")
    positive = (masks > 0).sum((1, 2)).numpy()
    np.testing.assert_allclose(positive, golden["masks_positive"], rtol=1e-3)


def train(case: Case, tag: str, **changes) -> tuple[dict[str, torch.Tensor], SAMTokenGrounder]:
    """Return the losses of the training batch and the model with its gradients."""
    model = case.build(**changes).train()
    if case.name == "uground" and "mode1" not in tag:
        actions = torch.from_numpy(case.golden["train.actions"]).long()
        model.policy.sample = lambda logits, rank=0: actions
        model.policy_loss.average.fill_(-0.5)
    losses = model.loss(case.inputs(0, 1), case.samples())
    sum(value for name, value in losses.items() if name.startswith("loss_")).backward()
    return losses, model


def check_losses(case: Case, tag: str, losses: dict[str, torch.Tensor]) -> None:
    golden = case.golden
    zero = torch.zeros(())
    bce = losses["loss_bce"] + losses.get("loss_similarity_bce", zero)
    dice = losses["loss_dice"] + losses.get("loss_similarity_dice", zero)
    expected = {
        "ce_loss": losses["loss_language"],
        "mask_bce_loss": bce,
        "mask_dice_loss": dice,
        "mask_loss": bce + dice,
        "loss": sum(v for name, v in losses.items() if name.startswith("loss_")),
    }
    for name, value in expected.items():
        recorded = float(golden[f"{tag}.{name}"])
        assert float(value.detach()) == pytest.approx(recorded, abs=1e-4, rel=2e-5), name


def check_gradients(case: Case, tag: str, model: SAMTokenGrounder) -> None:
    """Compare the norms of the gradients of some tensors."""
    prefix = f"{tag}.gradnorm."
    parameters = dict(model.named_parameters())
    names = [name for name in case.golden.files if name.startswith(prefix)]
    assert names
    for name in names:
        (ours,) = lisa.LAYOUT.convert(name[len(prefix) :], torch.zeros(()), None)
        norm = parameters[ours].grad.double().norm().item()
        assert norm == pytest.approx(float(case.golden[name]), rel=1e-2), name


def test_training(case):
    tag = "train.mode1" if case.name == "uground" else "train"
    options = {"train_layers": "last"} if case.name == "uground" else {}
    losses, model = train(case, tag, **options)
    check_losses(case, tag, losses)
    check_gradients(case, tag, model)


@pytest.mark.parametrize(
    ("tag", "layers", "form", "weight"),
    [
        ("train.mode2", "similarity", "per_batch", 0.4),
        ("train.mode3", "both", "per_batch", 0.4),
        ("train_oct.mode3", "both", "per_image", 0.1),
    ],
)
def test_training_of_the_policy(parity_folder, published_weights, tag, layers, form, weight):
    case = Case(parity_folder / "uground_tiny_seed0.npz", published_weights)
    policy_loss = {"type": "LayerPolicyLoss", "form": form, "weight": weight}
    losses, model = train(case, tag, train_layers=layers, policy_loss=policy_loss)
    check_losses(case, tag, losses)
    check_gradients(case, tag, model)
    recorded = float(np.mean(case.golden[f"{tag}.policy_loss"]))
    assert float(losses["loss_policy"].detach()) / weight == pytest.approx(recorded, rel=2e-5)
    after = np.ravel(case.golden[f"{tag}.running_mean_after"])[-1]
    assert float(model.policy_loss.average) == pytest.approx(float(after), rel=1e-5)


def test_the_gaussian_target(parity_folder, published_weights):
    case = Case(parity_folder / "uground_tiny_seed0.npz", published_weights)
    close(gaussian_masks(case.masks[0]), case.golden["train.gaussian_target"], 1e-6, "gaussian")


def predict(case: Case, model: SAMTokenGrounder, *, rejected: bool = False) -> list:
    """Predict the two targets of image A in one prompt with the true answers."""
    ids = case.ids[0]
    decode = IdsTokenizer(SPECIAL, bos_id=BOS, eos_id=EOS).decode
    start = ids.index(IM_END) + 4
    first, second = (i for i, token in enumerate(ids) if token == SEG)
    model.answer_mode = "teacher_forced"
    model.prompts = referring_prompts(
        {
            "questions": [decode(ids[1:start])],
            "answers": [["", "{expression} {token}"]],
            "end": " " + decode(ids[second + 1 : -1]),
        }
    )
    expressions = [decode(ids[start:first]), decode(ids[first + 1 : second])]
    samples = [
        GroundingDataSample(
            metainfo={
                "ori_shape": case.frames[0],
                "img_shape": shape(case.frames[0], 1024),
                "expression": expression,
            },
            gt_instances=InstanceData(boxes_xyxy=torch.zeros(count, 4)),
        )
        for expression, count in zip(expressions, (1, 1 - rejected), strict=True)
    ]
    with torch.no_grad():
        return model.predict(case.inputs(0, 0), samples)


def test_predictions(case):
    # With these weights another token than [SEG] is likeliest, which counts as a rejection.
    model = case.build(postprocessor={"type": "TokenMaskPostprocessor", "keep_rejected": True})
    predicted = predict(case, model)
    masks = decode_masks([sample.pred_merged_mask for sample in predicted]).numpy()
    golden = case.golden["masks"] > 0
    assert (masks != golden).mean() < 1e-3
    areas = masks.sum((1, 2))
    np.testing.assert_allclose(areas, case.golden["masks_positive"], rtol=1e-3)


def test_rejected_expressions_have_the_same_masks(parity_folder, published_weights):
    """The second [SEG] is [REJ] in the first pass, and [SEG] again in the second."""
    case = Case(parity_folder / "uground_tiny_seed0.npz", published_weights)
    model = case.build(postprocessor={"type": "TokenMaskPostprocessor", "keep_rejected": True})
    predicted = predict(case, model, rejected=True)
    output_ids = case.golden["reeval.output_ids"].ravel()
    written = [int(i) for i in output_ids if i in (SEG, REJ)]
    assert [REJ if sample.pred_no_target else SEG for sample in predicted] == written
    areas = [int(rle_areas([sample.pred_merged_mask])[0]) for sample in predicted]
    assert areas == case.golden["reeval.masks_positive"].tolist()


def test_keys_of_the_7b_convert_both_ways(parity_folder):
    lines = (parity_folder / "uground_7b.tsv").read_text().splitlines()
    rows = [line.split("\t")[:2] for line in lines if line.strip() and not line.startswith("#")]
    published = {key: torch.empty(json.loads(size), device="meta") for key, size in rows}
    assert lisa.LAYOUT.matches(published)
    unused = {key for key in published if not lisa.LAYOUT.convert(key, published[key], None)}
    assert {key.split(".")[1] for key in unused if "rotary_emb" not in key} == {
        "decoder_modules_initialized",
        "out_mm_projector",
    }
    ours = lisa.LAYOUT.to_ours(published)
    assert lisa.LAYOUT.matches_ours(ours)
    back = lisa.LAYOUT.to_published(ours)
    assert set(back) == set(published) - unused
    assert all(back[key].shape == published[key].shape for key in back)


def by_position(points: np.ndarray) -> np.ndarray:
    return points[np.lexsort((points[:, 1].round(3), points[:, 0].round(3)))]


def test_similarity_points(parity_folder):
    golden = np.load(parity_folder / "read_tiny_seed0.npz")
    maps = min_max(torch.from_numpy(golden["sim.raw"]), eps=1e-6)
    close(maps, golden["sim.minmax"], 3e-5, "sim.minmax")
    cells = maps.unflatten(1, (24, 24))[:, :18]
    points, labels = similarity_points(cells, 60, positive_thr=0.8, negative_thr=0.2)
    assert np.array_equal(labels.numpy(), golden["points.labels"])
    frames = {"points.coords": (120, 160), "points.sam_coords": (768, 1024)}
    for name, (height, width) in frames.items():
        scaled = (points * torch.tensor([width / 24, height / 18])).numpy()
        for ours, expected, kinds in zip(scaled, golden[name], labels.numpy(), strict=True):
            for kind in (1, 0, -1):
                np.testing.assert_allclose(
                    by_position(ours[kinds == kind]),
                    by_position(expected[kinds == kind]),
                    rtol=0,
                    atol=1e-3,
                    err_msg=name,
                )


def test_similarity_maps_and_mask_prompts(parity_folder):
    golden = np.load(parity_folder / "uground_tiny_seed0.npz")
    scaled = min_max(torch.from_numpy(golden["sim.raw"]))
    close(scaled, golden["sim.minmax"], 3e-5, "sim.minmax")
    maps = similarity_in_image(scaled, (24, 24), (120, 160), 14)
    close(maps, golden["sim.original_size"], 3e-5, "sim.original_size")
    prompts = mask_prompts(maps, 256)
    close(prompts[..., 3::4, 5::4], golden["sam.mask_prompt"], 3e-5, "sam.mask_prompt")
    sums = prompts.double().sum((1, 2, 3)).numpy()
    np.testing.assert_allclose(sums, golden["sam.mask_prompt_sum"], rtol=1e-5)
