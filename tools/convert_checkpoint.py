"""Convert a checkpoint between its published layout and ours.

    python tools/convert_checkpoint.py IN OUT [--config CONFIG]

The direction follows from the keys of IN, and the file type from the suffix of OUT (.safetensors
or .pth). With the config of the model, every weight is checked, and a .safetensors file in our
layout contains config and tokenizer, so that it can be used on its own.
Same as `vgtoolbox convert`.
"""

import sys

from vgtoolbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["convert", *sys.argv[1:]]))
