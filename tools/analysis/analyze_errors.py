"""Analyze the errors in a prediction file, by type and by expression.

    python tools/analysis/analyze_errors.py PREDICTIONS --config CONFIG [--split S] --out D
                                            [--keep score|best] [--score-thr 0.7] [--worst 16]

Prints a table and writes D/errors.csv (or --rows F.parquet), D/errors.png and D/worst.png.
docs/metrics.md defines the error types. Same as `vgtoolbox errors`.
"""

import sys

from vgtoolbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["errors", *sys.argv[1:]]))
