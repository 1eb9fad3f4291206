"""Test a checkpoint on every split of a config, with the official metrics.

    python tools/test.py CONFIG --load-from CKPT [--splits S ...] [--out D] [--device auto]
                         [--cfg-options k=v ...]

Writes D/metrics.json and D/<split>/predictions.jsonl. For several devices, use
tools/dist_test.sh. Same as `vgtoolbox test`.
"""

import sys

from vgtoolbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["test", *sys.argv[1:]]))
