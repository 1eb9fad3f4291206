"""Ask every expression of every image of a folder, and go on where a run was cut off.

    python tools/infer.py --images F_OR_FOLDER ... --expressions "the red circle" ["another" ...]
                          [--model NAME | --config CONFIG --checkpoint CKPT] [--out D]
                          [--formats coco labelstudio] [--pictures] [--batch-size 8]
                          [--score-thr S] [--topk K] [--tasks box] [--dtype bfloat16]
                          [--device auto] [--cfg-options k=v ...]

Writes D/predictions.jsonl line by line; run again, it does what is not in there yet. Images that
can not be read are named at the end, and the exit code is then 1.
"""

import sys

from vgtoolbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["infer", *sys.argv[1:]]))
