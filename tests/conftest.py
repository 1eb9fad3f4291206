"""Fixtures that tests of several packages share: a miniature InstanceVG and its checkpoint."""

import os
import textwrap
from pathlib import Path

import hypothesis
import pytest
import torch

from vgtoolbox.checkpoint import save_released, tokenizer_files
from vgtoolbox.checkpoint.config_text import write_config_text
from vgtoolbox.engine import load_config
from vgtoolbox.registry import MODELS

# Fixtures that the tests of several packages use.
pytest_plugins = ["fixtures.official_files", "fixtures.tokenizers"]

# No deadlines: a loaded machine is slow. The same examples each time, so that a failure repeats.
hypothesis.settings.register_profile("vgtoolbox", deadline=None, derandomize=True)
hypothesis.settings.load_profile("vgtoolbox")

REPOSITORY = Path(__file__).resolve().parents[1]
INPUT_SIZE = 32
MAX_TOKENS = 40

MINIATURE = """
    _base_ = ["{base}"]
    model = dict(
        channels=16,
        backbone=dict(
            embed_dim=16, depth=1, num_heads=2, ffn_dim=32, image_size={size}, patch_size=8,
            vocab_size=128, num_text_positions={positions}, drop_path_rate=0.5,
        ),
        neck=dict(in_channels=16, out_channels=16),
        pixel_decoder=dict(channels=16),
        query_selector=dict(channels=16, num_queries=3, num_heads=2, ffn_channels=16),
        decoder=dict(channels=16, num_heads=2, ffn_channels=16),
        box_head=dict(channels=16),
        semantic_mask_head=dict(channels=16),
        existence_head=dict(channels=16),
    )
    val_dataloader = dict(dataset=dict(pipeline=dict(
        load=dict(type="LoadImage"),
        targets=dict(type="LoadTargets"),
        choose=dict(type="ChooseExpression"),
        clean=dict(type="CleanExpression"),
        resize=dict(type="Resize", size={size}),
        tokenize=dict(
            type="TokenizeExpression",
            tokenizer=dict(type="BEiT3Tokenizer", model_file="{tokenizer}"),
            max_tokens={tokens},
        ),
        pack=dict(type="PackGroundingInputs"),
    )))
"""


@pytest.fixture(scope="session")
def miniature_config(tmp_path_factory, tokenizer_file):
    """Return the path of a config of a miniature InstanceVG."""
    folder = tmp_path_factory.mktemp("miniature")
    text = textwrap.dedent(MINIATURE).format(
        base=(REPOSITORY / "configs/_base_/models/instancevg_beit3_base.py").as_posix(),
        size=INPUT_SIZE,
        positions=MAX_TOKENS + 2,
        tokens=MAX_TOKENS,
        tokenizer=tokenizer_file.as_posix(),
    )
    config = folder / "miniature.py"
    config.write_text(text)
    return config


@pytest.fixture(scope="session")
def released_checkpoint(miniature_config, tmp_path_factory):
    """Return a released checkpoint with random weights, without config and tokenizer next to it."""
    cfg = load_config(miniature_config)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    path = tmp_path_factory.mktemp("released") / "miniature.safetensors"
    config = cfg.to_dict()
    save_released(model, write_config_text(config), path, files=tokenizer_files(config))
    return path


@pytest.fixture(scope="session")
def real_data():
    """Return a folder of third-party files that are not distributed with the project.

    `VGTOOLBOX_REAL_DATA` names it. The tests read `tokenizer/beit3.spm` (BEiT-3),
    `tokenizer/llama-32000.model` (Llama),
    `annotations/refcocos_test.json` (RefCOCOs annotator), `images/coco_*.jpg` (COCO) and
    `annotations/google_refexp_val_sample_results_comprehension.json` (Google RefExp toolbox).
    Once the variable is set, a missing file is a failure.
    """
    folder = os.environ.get("VGTOOLBOX_REAL_DATA")
    if folder is None:
        pytest.skip("reads third-party files; set VGTOOLBOX_REAL_DATA to their folder")
    return Path(folder)
