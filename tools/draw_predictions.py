"""Draw a sheet of predictions, each next to its ground truth.

    python tools/draw_predictions.py --config CONFIG --predictions F.jsonl [--split S] [--num 16]
                                     [--seed 0] [--out F.png] [--cfg-options k=v ...]

The predictions are those that tools/test.py writes for a split of the config.
Same as `vgtoolbox draw`.
"""

import sys

from vgtoolbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["draw", *sys.argv[1:]]))
