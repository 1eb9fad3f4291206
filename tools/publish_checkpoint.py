"""Turn a training checkpoint into a released one: safetensors, with config and tokenizer in it.

    python tools/publish_checkpoint.py IN.pth OUT.safetensors [--dtype float16]
                                       [--cfg-options k=v ...]

The averaged weights are taken where the training kept any. Paths below the current folder are
written relative to it: a released file speaks of no machine.
"""

import sys

from vgtoolbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["publish", *sys.argv[1:]]))
