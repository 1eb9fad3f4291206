"""Draw samples of a config with boxes and masks after each step of their pipeline.

    python tools/analysis/browse_dataset.py CONFIG [--split train] [--num 8] [--seed 0] [--epoch 0]
                                            [--out D] [--cfg-options k=v ...]

Writes one PNG per sample and D/index.html, a page that shows them without a server. Steps that
change neither image nor targets are listed below the previous picture. Same as `vgtoolbox browse`.
"""

import sys

from vgtoolbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["browse", *sys.argv[1:]]))
