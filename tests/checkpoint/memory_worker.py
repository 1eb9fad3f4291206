"""Load a published folder into a model in half precision and print the used memory."""

import json
import sys
import threading
from pathlib import Path

import torch
from mmengine.config import Config

from vgtoolbox.checkpoint import load_checkpoint, load_state_dict_strict
from vgtoolbox.registry import MODELS


def anonymous_bytes():
    """Return this process's own memory; pages of mapped files can be dropped at any moment."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


def main(config, folder):
    model = Config.fromfile(config).model
    with torch.device("meta"):  # imports what it needs, and takes no memory itself
        MODELS.build(model)
    before = peak = anonymous_bytes()
    done = threading.Event()

    def watch():
        nonlocal peak
        while not done.wait(0.002):
            peak = max(peak, anonymous_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    built = MODELS.build(model)
    load_state_dict_strict(built, load_checkpoint(folder)["state_dict"])
    done.set()
    watcher.join()
    weights = sum(p.numel() * p.element_size() for p in built.parameters())
    print(json.dumps({"weights": weights, "taken": max(peak, anonymous_bytes()) - before}))


if __name__ == "__main__":
    main(*sys.argv[1:])
