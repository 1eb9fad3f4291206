"""Print tables and draw curves of one or several training runs.

    python tools/analysis/analyze_logs.py WORK_DIR [WORK_DIR ...] [--keys loss "gres/*"]
                                          [--out curves.png]

Without --keys, the loss and all validation metrics are shown. The table has the last and the best
value of each, and the step of the best. Same as `vgtoolbox logs`.
"""

import sys

from vgtoolbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["logs", *sys.argv[1:]]))
