"""Turn a training checkpoint into a released one: safetensors with config and tokenizer.

    python tools/publish_checkpoint.py IN.pth OUT.safetensors [--dtype float16]
                                       [--cfg-options k=v ...]

The averaged weights are used if the training kept any. Paths below the current folder are written
relative to it, so that a released file does not depend on a machine. Same as `vgtoolbox publish`.
"""

import sys

from vgtoolbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["publish", *sys.argv[1:]]))
