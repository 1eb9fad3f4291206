"""Load a published folder without a second copy of the model in memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from safetensors.torch import save_file

from vgtoolbox.checkpoint.layouts import mllmseg
from vgtoolbox.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]
WORKER = Path(__file__).with_name("memory_worker.py")
SHARDS = 4


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_loading_a_folder_takes_little_more_than_its_weights(tmp_path):
    config = Config.fromfile(ROOT / "configs" / "_base_" / "models" / "mllmseg_tiny.py")
    config.pop("_channels")
    config.model.mllm.trainable = []
    config.model.mllm.adapter.dtype = "bfloat16"
    config.model.mllm.adapter.text_config.update(
        hidden_size=1024, intermediate_size=3072, num_hidden_layers=12
    )
    config.model.fusion.semantic_channels = config.model.decoder.text_channels = 1024
    config.dump(str(tmp_path / "model.py"))
    model = MODELS.build(config.model)
    published = mllmseg.LAYOUT.to_published(model.state_dict(), model)
    folder = tmp_path / "published"
    folder.mkdir()
    places = {}
    for shard in range(SHARDS):
        name = f"model-{shard}.safetensors"
        part = {key: published[key].contiguous() for key in sorted(published)[shard::SHARDS]}
        save_file(part, folder / name)
        places |= dict.fromkeys(part, name)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    del model, published
    done = subprocess.run(
        [sys.executable, WORKER, tmp_path / "model.py", folder],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    measured = json.loads(done.stdout.splitlines()[-1])
    assert measured["weights"] > 300 * 2**20
    assert measured["taken"] < 1.2 * measured["weights"], measured
