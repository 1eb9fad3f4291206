"""Train the model of a config.

    python tools/train.py CONFIG [--work-dir D] [--resume [CKPT]] [--load-from CKPT] [--seed S]
                          [--amp [DTYPE]] [--auto-scale-lr] [--device auto] [--cfg-options k=v ...]

For several devices, use tools/dist_train.sh. Same as `vgtoolbox train`.
"""

import sys

from vgtoolbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
