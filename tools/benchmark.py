"""Measure the speed of a config's model and its share of the machine's peak rate.

    python tools/benchmark.py CONFIG [--checkpoint CKPT] [--batch-sizes 1 8] [--mode fused]
                              [--against eager] [--train-step] [--dtype float32] [--device auto]
                              [--threads N] [--seconds 20] [--out F.json] [--cfg-options k=v ...]

Modes alternate with a large matrix product, so that the share of the machine's rate is valid even
while other programs run. Without a checkpoint the weights are random, which costs the same.
Same as `vgtoolbox benchmark`.
"""

import sys

from vgtoolbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["benchmark", *sys.argv[1:]]))
