"""Ground every expression in every image; an interrupted run resumes.

    python tools/infer.py --images F_OR_FOLDER ... --expressions "the red circle" ["another" ...]
                          [--model NAME | --config CONFIG --checkpoint CKPT] [--out D]
                          [--formats coco labelstudio] [--pictures] [--batch-size 8]
                          [--score-thr S] [--topk K] [--tasks box] [--dtype bfloat16]
                          [--device auto] [--cfg-options k=v ...]

Writes D/predictions.jsonl line by line; a second run processes only the pairs that are missing.
Images that cannot be read are listed at the end, and the exit code is then 1.
Same as `vgtoolbox infer`.
"""

import sys

from vgtoolbox.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["infer", *sys.argv[1:]]))
