"""Ground expressions in one image: boxes, masks and scores, or no target.

    python tools/demo.py --img F --expression "the red circle" ["another" ...]
                         [--config CONFIG] [--checkpoint CKPT] [--output_dir D] [--score_thr 0.7]
                         [--device auto] [--cfg-options k=v ...]

Writes a picture (PNG) and the result (JSON, one line of predictions.jsonl) for each expression.
Without --config and --checkpoint, the tiny InstanceVG that was trained on generated scenes is used.
Same as `vgtoolbox demo`.
"""

import sys

from vgtoolbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["demo", *sys.argv[1:]]))
