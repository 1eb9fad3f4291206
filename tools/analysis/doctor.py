"""Check the installation, the device, the data and the weights, and suggest the next step.

    python tools/analysis/doctor.py [--data-root data] [--env]

--env prints only versions, for a bug report. The exit code is 1 if a required part is missing;
optional parts may be absent. Same as `vgtoolbox doctor`.
"""

import sys

from vgtoolbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["doctor", *sys.argv[1:]]))
