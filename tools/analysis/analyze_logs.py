"""Tables and curves of one training run or several.

    python tools/analysis/analyze_logs.py WORK_DIR [WORK_DIR ...] [--keys loss "gres/*"]
                                          [--out curves.png]

Without --keys: the loss, and all that validation measured. The table shows the last value and the
best, with the step where it stood.
"""

import sys

from vgtoolbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["logs", *sys.argv[1:]]))
