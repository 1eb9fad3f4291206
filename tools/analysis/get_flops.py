"""Count the parameters and operations of a config's model, by part.

    python tools/analysis/get_flops.py CONFIG [--batch-size 1] [--cfg-options k=v ...]

Weights are random and the image is noise, which costs the same. torch's counter counts matrix
products, convolutions and attention; a multiplication and an addition are two operations.
Same as `vgtoolbox flops`.
"""

import sys

from vgtoolbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["flops", *sys.argv[1:]]))
