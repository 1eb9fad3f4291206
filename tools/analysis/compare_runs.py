"""Put the metrics of several tests side by side, with the difference from the first.

    python tools/analysis/compare_runs.py A/metrics.json B/metrics.json ... [--split val]

A folder stands for the metrics.json in it.
"""

import sys

from vgtoolbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["compare", *sys.argv[1:]]))
