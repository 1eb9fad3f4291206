"""Fixtures: small InstanceVG and MLLMSeg models, batches for them, and mmdet as a reference."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData

from vgtoolbox.datasets.transforms import WriteReferringConversations
from vgtoolbox.registry import MODELS
from vgtoolbox.structures import BatchTargets, GroundingDataSample
from vgtoolbox.utils.openmmlab import import_openmmlab

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "configs" / "shapes" / "InstanceVG-tiny-shapes.py"
SIZE = 32
ORI_SHAPE = (48, 64)
TOKENS = 8
VOCAB = 40
SMALLER = {
    "channels": 16,
    "backbone": {
        "embed_dim": 32,
        "depth": 2,
        "num_heads": 2,
        "ffn_dim": 48,
        "image_size": SIZE,
        "patch_size": 8,
        "vocab_size": VOCAB,
        "num_text_positions": TOKENS + 4,
        "drop_path_rate": 0.0,
    },
    "neck": {"in_channels": 16, "out_channels": 16},
    "pixel_decoder": {"channels": 16},
    "query_selector": {
        "channels": 16,
        "num_queries": 4,
        "num_heads": 2,
        "ffn_channels": 24,
        "dropout": 0.0,
    },
    "decoder": {
        "channels": 16,
        "num_layers": 3,
        "num_heads": 2,
        "ffn_channels": 24,
        "dropout": 0.0,
    },
    "box_head": {"channels": 16},
    "query_mask_head": {"background_weight": 0.2},
    "postprocessor": {"score_thr": 0.7, "frame": "original"},
    "semantic_mask_head": {"channels": 16},
    "existence_head": {"channels": 16},
}


@pytest.fixture(scope="session")
def mmdet():
    """Register `mmdet.*` types; skip the test if mmdet is not installed."""
    pytest.importorskip("mmcv")
    import_openmmlab("mmdet")


@pytest.fixture(scope="session")
def _smaller_config():
    config = Config.fromfile(TINY)
    config.merge_from_dict({"model": copy.deepcopy(SMALLER)})
    return config


@pytest.fixture
def build_tiny(_smaller_config):
    """Return a function that builds the model from seed 0, with changes to its config."""

    def build(**changes):
        config = copy.deepcopy(_smaller_config)
        config.merge_from_dict({"model": changes})
        torch.manual_seed(0)
        return MODELS.build(config.model)

    return build


@pytest.fixture
def make_targets():
    """Return a function that makes `BatchTargets` of random boxes and the masks that fill them."""

    def make(counts, seed=0, size=SIZE):
        samples = [_sample(i, _boxes(n, seed + i, size), size) for i, n in enumerate(counts)]
        return BatchTargets.from_samples(samples, (size, size), torch.device("cpu"))

    return make


@pytest.fixture
def make_batch():
    """Return a function that makes `inputs` and `data_samples` with `counts[i]` targets each."""

    def make(counts=(1, 0, 3), seed=0, lengths=None):
        generator = torch.Generator().manual_seed(seed)
        batch = len(counts)
        lengths = torch.tensor(lengths or [TOKENS - i % 3 for i in range(batch)])
        padding = torch.arange(TOKENS) >= lengths[:, None]
        token_ids = torch.randint(4, VOCAB, (batch, TOKENS), generator=generator)
        inputs = {
            "images": torch.randn(batch, 3, SIZE, SIZE, generator=generator),
            "token_ids": token_ids.masked_fill(padding, 1),
            "text_padding_mask": padding,
        }
        return inputs, [_sample(i, _boxes(n, seed + i, SIZE), SIZE) for i, n in enumerate(counts)]

    return make


def _boxes(count, seed, size):
    generator = torch.Generator().manual_seed(seed)
    corner = torch.randint(0, size // 2, (count, 2), generator=generator)
    extent = torch.randint(4, size // 2, (count, 2), generator=generator)
    return torch.cat([corner, corner + extent], 1).float()


def _sample(index, boxes, size):
    masks = torch.zeros(len(boxes), size, size, dtype=torch.bool)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.int().tolist(), strict=True):
        mask[y1:y2, x1:x2] = True
    return GroundingDataSample(
        metainfo={
            "sample_idx": index,
            "ori_shape": ORI_SHAPE,
            "img_shape": (size, size),
            "scale_factor": (size / ORI_SHAPE[1], size / ORI_SHAPE[0]),
        },
        gt_instances=InstanceData(boxes_xyxy=boxes, masks=masks),
    )


MARKS_ONLY = {"questions": ["<image>{expressions}"], "answers": [["", "{token}"]], "end": ""}
MLLMSEG = ROOT / "configs" / "_base_" / "models" / "mllmseg_tiny.py"
SMALLER_MLLMSEG = {
    "mllm": {
        "adapter": {
            "text_config": {
                "hidden_size": 32,
                "intermediate_size": 48,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "num_key_value_heads": 1,
            },
            "vision_config": {
                "hidden_size": 32,
                "intermediate_size": 48,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "image_size": SIZE,
            },
        },
    },
    "fusion": {"detail_channels": 32, "semantic_channels": 32, "num_heads": 2},
    "decoder": {"channels": 32, "text_channels": 32, "num_heads": 2},
}


@pytest.fixture
def build_mllmseg(tokenizer_file):
    """Return a function that builds a small MLLMSeg from seed 0, with changes to its config."""

    def build(**changes):
        config = Config.fromfile(MLLMSEG)
        config.merge_from_dict({"model": copy.deepcopy(SMALLER_MLLMSEG)})
        config.model.mllm.tokenizer.model_file = str(tokenizer_file)
        config.merge_from_dict({"model": changes})
        torch.manual_seed(0)
        return MODELS.build(config.model)

    return build


@pytest.fixture
def make_conversations():
    """Return a function that makes a batch of images with `expressions[i]` expressions each."""
    words = ["the red circle", "a big blue square on the left", "all shapes", "the left", "red"]

    def make(expressions=(2, 1), no_target=(), seed=0):
        generator = torch.Generator().manual_seed(seed)
        count = sum(expressions)
        samples = [
            _sample(i, _boxes(int(i not in no_target), seed + i, SIZE), SIZE) for i in range(count)
        ]
        for i, sample in enumerate(samples):
            sample.set_metainfo({"expression": words[i % len(words)]})
        inputs = {
            "images": torch.randn(len(expressions), 3, SIZE, SIZE, generator=generator),
            "image_index": torch.repeat_interleave(
                torch.arange(len(expressions)), torch.tensor(expressions)
            ),
        }
        return inputs, samples

    return make


@pytest.fixture
def to_training():
    """Return a function that joins samples of expressions to one per image with conversations."""

    def join(inputs, samples, *, packing="separate", prompts=None):
        write = WriteReferringConversations(prompts=prompts or MARKS_ONLY, packing=packing)
        joined = []
        for image in range(len(inputs["images"])):
            members = [
                s
                for s, i in zip(samples, inputs["image_index"].tolist(), strict=True)
                if i == image
            ]
            expressions, start = [], 0
            for member in members:
                count = len(member.gt_instances)
                expressions.append((member.expression, list(range(start, start + count))))
                start += count
            results = {"sampled_expressions": expressions, "rng": np.random.default_rng(0)}
            sample = members[0].clone()
            sample.set_metainfo({"conversations": write(results)["conversations"]})
            sample.gt_instances = InstanceData.cat([each.gt_instances for each in members])
            joined.append(sample)
        return {"images": inputs["images"]}, joined

    return join
