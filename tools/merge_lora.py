"""Merge the LoRA of a checkpoint into its model, or extract the trained weights.

    python tools/merge_lora.py work_dirs/run/iter_50000.pth merged.safetensors
    python tools/merge_lora.py work_dirs/run/iter_50000.pth adapter.safetensors --adapter-only
    python tools/merge_lora.py pretrain_weights/MLLMSeg_8B OUT.safetensors --config CONFIG

A merged checkpoint does not need peft and runs faster. A file with only the adapter is small and is
loaded on top of the weights that `model.mllm.pretrained` names. Same as `vgtoolbox merge-lora`.
"""

import sys

from vgtoolbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["merge-lora", *sys.argv[1:]]))
