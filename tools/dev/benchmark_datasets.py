"""Measure how long a dataset loads, and how much memory its worker processes add.

    python tools/dev/benchmark_datasets.py [--expressions 300000] [--workers 4]

Annotations of the form and size of gRefCOCO, without images, are generated and read.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from vgtoolbox.datasets import GRefCOCODataset

IMAGES_PER_EXPRESSION, ANNOTATIONS_PER_IMAGE = 20_000 / 300_000, 10
CORNERS = 30
"""Number of corners of a polygon, about as in COCO."""
WORDS = ("the", "left", "right", "big", "small", "red", "blue", "man", "woman", "dog", "next", "to")
READS = 20_000
"""Number of records that each worker reads."""


def write_annotations(folder: Path, expressions: int) -> None:
    """Write `grefs(unc).json` and `instances.json`, with two sentences per ref."""
    rng = random.Random(0)
    count = max(1, int(expressions * IMAGES_PER_EXPRESSION))
    images = [
        {"id": i, "file_name": f"COCO_train2014_{i:012d}.jpg", "height": 480, "width": 640}
        for i in range(count)
    ]
    annotations = [
        {
            "id": i,
            "image_id": i % count,
            "bbox": [round(rng.uniform(1, 300), 2) for _ in range(4)],
            "segmentation": [[round(rng.uniform(0, 480), 2) for _ in range(2 * CORNERS)]],
        }
        for i in range(count * ANNOTATIONS_PER_IMAGE)
    ]
    refs = []
    for ref_id in range(expressions // 2):
        image_id = rng.randrange(count)
        targets = rng.choice([1, 1, 2, 3, 0])
        ids = [image_id + count * i for i in rng.sample(range(ANNOTATIONS_PER_IMAGE), targets)]
        sentences = [
            {"sent_id": 2 * ref_id + i, "sent": text, "raw": text, "tokens": text.split()}
            for i, text in enumerate(" ".join(rng.choices(WORDS, k=5)) for _ in range(2))
        ]
        common = {"ref_id": ref_id, "image_id": image_id, "split": "train"}
        refs.append({**common, "ann_id": ids or [-1], "sentences": sentences})
    (folder / "grefs(unc).json").write_text(json.dumps(refs))
    instances = {"images": images, "annotations": annotations, "categories": []}
    (folder / "instances.json").write_text(json.dumps(instances))


def private_megabytes() -> float:
    """Return the memory that this process does not share with others, in MiB."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def read_records(dataset: Any, seed: int, queue: Any) -> None:
    """Read random records, as a worker does, and report the private memory."""
    rng = random.Random(seed)
    for _ in range(READS):
        dataset.get_data_info(rng.randrange(len(dataset)))
    queue.put(private_megabytes())


def worker_megabytes(dataset: Any, workers: int, method: str) -> float:
    """Return the total private memory of all workers in MiB."""
    context: Any = multiprocessing.get_context(method)
    queue = context.Queue()
    processes = [
        context.Process(target=read_records, args=(dataset, seed, queue)) for seed in range(workers)
    ]
    for process in processes:
        process.start()
    total = sum(queue.get() for _ in processes)
    for process in processes:
        process.join()
    return total


def main() -> None:
    """Write annotations, read them, and print time and memory."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--expressions", type=int, default=300_000)
    parser.add_argument("--workers", type=int, default=4)
    args = parser.parse_args()
    if not Path("/proc/self/smaps_rollup").is_file():
        sys.exit("error: private memory is read from /proc, which only Linux has")
    with tempfile.TemporaryDirectory() as folder:
        write_annotations(Path(folder), args.expressions)
        start, cpu = time.perf_counter(), time.process_time()
        dataset = GRefCOCODataset(data_root=folder, split="train")
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        print(f"{len(dataset)} expressions: {seconds:.1f} s ({cpu:.1f} s of one core)")
    print(f"index: {dataset.data_list.nbytes / 2**20:.0f} MB")
    alone = dataset.get_subset([0])
    alone.data_list = type(dataset.data_list)([dataset.data_list[0]])
    for method in ("fork", "spawn"):
        whole, base = (worker_megabytes(d, args.workers, method) for d in (dataset, alone))
        print(
            f"{args.workers} workers ({method}): {whole:.0f} MB private in all, "
            f"{whole - base:+.1f} MB more than with an index of one record"
        )


if __name__ == "__main__":
    main()
