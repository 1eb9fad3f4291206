"""Measure how fast a config's model runs, and what share of the machine it uses.

    python tools/benchmark.py CONFIG [--checkpoint CKPT] [--batch-sizes 1 8] [--mode fused]
                              [--against eager] [--train-step] [--dtype float32] [--device auto]
                              [--threads N] [--seconds 20] [--out F.json] [--cfg-options k=v ...]

Modes run in turn with a large matrix product, so that the share of the machine's own rate holds
while other programs run; without a checkpoint the weights are random, which costs the same.
"""

import sys

from vgtoolbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["benchmark", *sys.argv[1:]]))
