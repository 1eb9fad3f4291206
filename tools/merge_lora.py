"""Merge the LoRA of a checkpoint into its model, or keep of a checkpoint what was trained.

    python tools/merge_lora.py work_dirs/run/iter_50000.pth merged.safetensors
    python tools/merge_lora.py work_dirs/run/iter_50000.pth adapter.safetensors --adapter-only
    python tools/merge_lora.py pretrain_weights/MLLMSeg_8B OUT.safetensors --config CONFIG

A merged checkpoint needs no peft and runs faster. One with the adapter only is small, and loads on
top of the weights that `model.mllm.pretrained` names.
"""

import sys

from vgtoolbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["merge-lora", *sys.argv[1:]]))
