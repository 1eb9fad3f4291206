"""Run `python -m vgtoolbox` like the console script."""

import sys

from vgtoolbox.cli.main import main

sys.exit(main())
