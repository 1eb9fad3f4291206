"""Generate, set up and check datasets.

    python tools/prepare_data.py refcoco --root data [--source ~/downloads]
    python tools/prepare_data.py check refcoco grefcoco --root data [--fix data-repaired]
    python tools/prepare_data.py own my.jsonl --folder my_images
    python tools/prepare_data.py leaks refcoco refcocog:umd/train --root data
    python tools/prepare_data.py shapes --out data/shapes --scale tiny [--formats all]

Same as `vgtoolbox data`.
"""

import sys

from vgtoolbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["data", *sys.argv[1:]]))
