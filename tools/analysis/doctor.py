"""Check the installation, the device, the data and the weights, and say what to do next.

    python tools/analysis/doctor.py [--data-root data] [--env]

--env prints versions alone, to be put into a report. The exit code is 1 where something is broken;
what is merely absent is no fault.
"""

import sys

from vgtoolbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["doctor", *sys.argv[1:]]))
