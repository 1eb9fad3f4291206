"""Score predictions that lie in a file, without a model and without reading an image.

    python tools/eval_predictions.py PREDICTIONS --config CONFIG [--split S]
                                     [--metric type=GRESMetric protocol=gsva] [--metric ...]
                                     [--out F.json] [--rows F.parquet|F.csv]
    python tools/eval_predictions.py PREDICTIONS --dataset type=GRefCOCODataset data_root=data ...
                                     --metric type=GRECMetric

PREDICTIONS is predictions.jsonl, a list of COCO results, or the Google Refexp toolbox's file. The
values are those that tools/test.py gives for the same predictions.
"""

import sys

from vgtoolbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["eval", *sys.argv[1:]]))
