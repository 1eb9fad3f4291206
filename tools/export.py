"""Export a config's model to torch.export (.pt2) or ONNX (.onnx), for any batch size.

    python tools/export.py CONFIG --checkpoint CKPT --out F.onnx [--outputs NAME ...]
                           [--tolerance 1e-3] [--no-check] [--cfg-options k=v ...]

The graph takes normalized inputs and returns the raw outputs of `tensor` mode. The exported file is
run with another batch size and compared with the model, unless --no-check is given.
Same as `vgtoolbox export`.
"""

import sys

from vgtoolbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["export", *sys.argv[1:]]))
