"""Print the table of the model zoo, made from configs/*_metafile.yml.

    python tools/analysis/zoo_table.py [--system InstanceVG] [--into README.md | --check README.md]

--into replaces the lines of a page between `<!-- zoo -->` and `<!-- /zoo -->`. After
`<!-- zoo: first -->` the table has one line per model, and only models with numbers. --check ends
with an error if the page is not up to date. Same as `vgtoolbox zoo`.
"""

import sys

from vgtoolbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["zoo", *sys.argv[1:]]))
