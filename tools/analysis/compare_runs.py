"""Compare the metrics of several tests, with the difference from the first.

    python tools/analysis/compare_runs.py A/metrics.json B/metrics.json ... [--split val]

For a folder, the metrics.json in it is read. Same as `vgtoolbox compare`.
"""

import sys

from vgtoolbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["compare", *sys.argv[1:]]))
