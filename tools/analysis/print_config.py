"""Print a config with its bases and overrides resolved.

    python tools/analysis/print_config.py CONFIG [--key model.postprocessor] [--cfg-options k=v ...]

--key prints only that section. Same as `vgtoolbox config`.
"""

import sys

from vgtoolbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["config", *sys.argv[1:]]))
