"""Count the parameters and the arithmetic of a config's model, by its parts.

    python tools/analysis/get_flops.py CONFIG [--batch-size 1] [--cfg-options k=v ...]

Weights are random and the picture is noise, which costs the same. Matrix products, convolutions and
attention count, as torch's own counter sees them; a multiplication and an addition are two.
"""

import sys

from vgtoolbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["flops", *sys.argv[1:]]))
