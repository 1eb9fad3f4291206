"""Score a prediction file, without a model and without reading images.

    python tools/eval_predictions.py PREDICTIONS --config CONFIG [--split S]
                                     [--metric type=GRESMetric protocol=gsva] [--metric ...]
                                     [--out F.json] [--rows F.parquet|F.csv]
    python tools/eval_predictions.py PREDICTIONS --dataset type=GRefCOCODataset data_root=data ...
                                     --metric type=GRECMetric

PREDICTIONS is a predictions.jsonl, a list of COCO results, or a file of the Google Refexp toolbox.
The values equal those of tools/test.py for the same predictions. Same as `vgtoolbox eval`.
"""

import sys

from vgtoolbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["eval", *sys.argv[1:]]))
