"""Open a page to play with: upload a picture, type expressions, see boxes and masks.

    python tools/webui.py [--model NAME | --config CONFIG --checkpoint CKPT] [--port 7860]
                          [--device auto] [--cfg-options k=v ...]

It is served to this machine alone. Without a model: all of the zoo whose weights are present.
"""

import sys

from vgtoolbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["webui", *sys.argv[1:]]))
