"""Parity of MLLMSeg with recorded outputs of small published models."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData

from tests.parity.conftest import IdsTokenizer
from vgtoolbox.checkpoint import load_state_dict_strict
from vgtoolbox.checkpoint.layouts import mllmseg
from vgtoolbox.checkpoint.lora import has_lora
from vgtoolbox.models.grounders import BaseGrounder
from vgtoolbox.models.mllm import ChatTemplate
from vgtoolbox.registry import MODELS
from vgtoolbox.structures import Conversation, GroundingDataSample, Turn, encode_masks

ROOT = Path(__file__).parents[2]
RECORDINGS = "mllmseg_*_seed*.npz"
LAYOUTS = "mllmseg_*_tiny.tsv"
CONFIG = ROOT / "configs" / "_base_" / "models" / "mllmseg_internvl2_5.py"
LORA_TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
PROMPT = 262  # tokens that are not trained


@pytest.fixture(scope="module")
def build(parity_folder, tokenizer_file) -> Callable[..., BaseGrounder]:
    """Return a function that builds the model of a layout from the published config."""

    def make(name: str, *, lora_rank: int = 0) -> BaseGrounder:
        sizes = _recorded_sizes(parity_folder, name)
        cfg = Config.fromfile(CONFIG).model
        width = sizes["llm"]["hidden_size"]
        cfg.mllm.adapter.update(
            dtype="float32", text_config=sizes["llm"], vision_config=sizes["vis"]
        )
        special = {"[SEG]": sizes["SEG"], "[REJ]": sizes["REJ"], "<IMG_CONTEXT>": sizes["IMG"]}
        cfg.mllm.tokenizer = {
            "type": "SentencePieceChatTokenizer",
            "model_file": str(tokenizer_file),
            "special_tokens": special,
        }
        cfg.fusion.semantic_channels = cfg.decoder.text_channels = width
        lora = {"targets": LORA_TARGETS, "rank": lora_rank, "alpha": 2 * lora_rank}
        cfg.mllm.update(
            lora=lora if lora_rank else None, trainable=[], gradient_checkpointing=False
        )
        return MODELS.build(cfg).eval()

    return make


def _recorded_sizes(folder: Path, name: str) -> dict:
    """Return the sizes of the small language model and vision tower; LoRA uses InternLM2."""
    name = "internlm2" if name == "lora" else name
    return json.loads(min(folder.glob(f"mllmseg_{name}_tiny_seed*.json")).read_text())


class Case:
    """Recorded outputs, the published weights they were recorded with, and our model with them."""

    def __init__(self, path: Path, build, published_weights):
        self.name, seed = re.fullmatch(r"mllmseg_(\w+)_tiny_seed(\d+)", path.stem).groups()
        self.golden = np.load(path)
        self.published = published_weights(f"mllmseg_{self.name}_tiny", int(seed))
        self.model = build(self.name)
        self.report = load_state_dict_strict(self.model, self.published, source=path.stem)
        rng = np.random.Generator(np.random.PCG64([int(seed), 12345]))
        first = rng.standard_normal((1, 3, 448, 448), dtype=np.float32)
        rng.integers(5, 150, 6)
        rng.integers(5, 150, 18)
        masks = torch.from_numpy(rng.random((1, 3, 120, 160)) > 0.5)[0]
        second = rng.standard_normal((1, 3, 448, 448), dtype=np.float32)
        more_masks = torch.from_numpy(rng.random((3, 90, 100)) > 0.5)
        self.token_ids = torch.from_numpy(self.golden["input_ids"])
        self.images = torch.from_numpy(np.concatenate([first, second]))
        # The second of the three expressions of each image has no target.
        self.samples = [_sample(masks[::2]), _sample(more_masks[::2])]

    def output(self, token_ids: torch.Tensor):
        with torch.no_grad():
            return self.model.tensor({"images": self.images[:1], "token_ids": token_ids})

    def decisions(self, output) -> np.ndarray:
        """Return the ids with the model's own choice at each target token."""
        seg, rej = self.model.target_ids
        ids = self.token_ids[0].clone()
        place = ((ids == seg) | (ids == rej)).nonzero()[:, 0]
        rejects = output.logits[0, place - 1].argmax(-1) == rej
        ids[place] = torch.where(rejects, rej, seg)
        return ids.numpy()

    def losses(self) -> dict[str, torch.Tensor]:
        """Return the losses of two images with the recorded conversation, written as text."""
        special = self.model.mllm.tokenizer.special_tokens
        ids = self.token_ids[0].tolist()
        tokenizer = IdsTokenizer(special, bos_id=None, eos_id=ids[-1])
        self.model.mllm.__dict__["tokenizer"] = tokenizer
        image = special["<IMG_CONTEXT>"]
        start, count = ids.index(image), ids.count(image)
        before, after = (
            tokenizer.decode(part) for part in (ids[:start], ids[start + count : PROMPT])
        )
        turn = Turn(f"{before} <image> {after}", tokenizer.decode(ids[PROMPT:-1]))
        self.model.mllm.image_text = "{image}"
        self.model.mllm.chat = ChatTemplate("", "{text}", "", str(ids[-1]))
        for sample in self.samples:
            sample.set_metainfo({"conversations": (Conversation((turn,), ((0,), (), (1,))),)})
        with torch.no_grad():
            return self.model.loss({"images": self.images}, self.samples)


def _sample(masks: torch.Tensor) -> GroundingDataSample:
    """Return a sample of an image with targets of the masks (N, H, W)."""
    size = (masks.shape[1], masks.shape[2])
    return GroundingDataSample(
        metainfo={"ori_shape": size, "img_shape": (448, 448)},
        gt_instances_ori=InstanceData(
            boxes_xyxy=torch.tensor([[0.0, 0.0, size[1], size[0]]]).expand(len(masks), -1),
            masks=encode_masks(masks),
        ),
    )


@pytest.fixture(scope="module")
def case(recording, build, published_weights) -> Case:
    return Case(recording, build, published_weights)


def test_published_weights_fill_every_parameter(case):
    assert case.report.complete
    assert case.report.layout == mllmseg.LAYOUT.name


def test_raw_outputs(case):
    output, golden = case.output(case.token_ids), case.golden
    pairs = {
        "vit_feature": output.patches[0, ::41, ::13],
        "vit_embeds": output.image_tokens[0, ::5],
        "pred_masks": output.mask_logits.sigmoid()[..., 3::8, 5::8],
    }
    for name, array in pairs.items():
        np.testing.assert_allclose(array.numpy(), golden[name], rtol=0, atol=1e-4, err_msg=name)
    assert np.array_equal(case.decisions(output), golden["output_ids"])


def test_every_expression_has_a_mask_if_rejections_are_replaced(case):
    seg, rej = case.model.target_ids
    replaced = torch.where(case.token_ids == rej, seg, case.token_ids)
    masks = case.output(replaced).mask_logits.sigmoid()[..., 3::8, 5::8]
    golden = case.golden["pred_masks_reeval"]
    np.testing.assert_allclose(masks.numpy(), golden, rtol=0, atol=1e-4)


def test_losses(case):
    losses, golden = case.losses(), case.golden
    masks = losses["loss_focal"] + losses["loss_dice"]
    ours = {
        "ce_loss": losses["loss_language"],
        "mask_focal_loss": losses["loss_focal"],
        "mask_dice_loss": losses["loss_dice"],
        "mask_loss": masks,
        "loss": losses["loss_language"] + masks,
        "iou": losses["soft_iou"],
    }
    for name, value in ours.items():
        expected = golden[f"train.{name}"].item()
        assert float(value) == pytest.approx(expected, rel=1e-5), name


def test_round_trip_restores_the_published_state_dict(layout, build, published_weights):
    published = published_weights(layout.stem, 3)
    name = re.fullmatch(r"mllmseg_(\w+)_tiny", layout.stem)[1]
    model = build(name, lora_rank=8 if has_lora(published) else 0)
    report = load_state_dict_strict(model, published, source=layout.stem)
    assert report.complete
    back = mllmseg.LAYOUT.to_published(model.state_dict(), model)
    assert set(back) == set(published)
    assert all(torch.equal(back[key], published[key]) for key in back)


def test_merged_lora_gives_the_same_outputs_as_lora(build, published_weights):
    published = published_weights("mllmseg_lora_tiny", 0)
    rng = np.random.Generator(np.random.PCG64([0, 12345]))
    images = torch.from_numpy(rng.standard_normal((1, 3, 448, 448), dtype=np.float32))
    ids = torch.full((1, 280), 20)
    ids[0, 6:262], ids[0, 270] = 180, 190
    outputs = []
    for rank in (0, 8):
        model = build("lora", lora_rank=rank)
        load_state_dict_strict(model, published)
        with torch.no_grad():
            outputs.append(model.tensor({"images": images, "token_ids": ids}))
    merged, separate = outputs
    torch.testing.assert_close(merged.states, separate.states, rtol=0, atol=1e-4)
    torch.testing.assert_close(merged.mask_logits, separate.mask_logits, rtol=0, atol=1e-4)
