"""Serve a web page to try models: upload an image, type expressions, see boxes and masks.

    python tools/webui.py [--model NAME | --config CONFIG --checkpoint CKPT] [--port 7860]
                          [--host 127.0.0.1] [--auth-file F] [--device auto] [--cfg-options k=v ...]

The page is only available on this machine, unless --host names another address, which requires a
password. Without a model, it offers all zoo models whose weights are present. Same as
`vgtoolbox webui`.
"""

import sys

from vgtoolbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["webui", *sys.argv[1:]]))
