"""Draw a sheet of predictions: for each expression, the ground truth beside what was found.

    python tools/draw_predictions.py --config CONFIG --predictions F.jsonl [--split S] [--num 16]
                                     [--seed 0] [--out F.png] [--cfg-options k=v ...]

The predictions are what tools/test.py wrote for a split of the config.
"""

import sys

from vgtoolbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["draw", *sys.argv[1:]]))
