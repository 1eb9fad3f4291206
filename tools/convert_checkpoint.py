"""Convert a checkpoint between the layout that its authors published and ours.

    python tools/convert_checkpoint.py IN OUT [--config CONFIG]

The direction follows from the keys of IN, the kind of file from the suffix of OUT (.safetensors or
.pth). With the config of the model every weight is checked, and a .safetensors in our layout
carries config and tokenizer: it needs nothing beside it.
"""

import sys

from vgtoolbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["convert", *sys.argv[1:]]))
