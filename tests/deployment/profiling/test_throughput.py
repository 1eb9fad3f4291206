import pytest

from vgtoolbox.deployment.profiling.throughput import (
    COLLATE,
    READ_RECORD,
    baseline_config,
    build_loader,
    measure_loader,
    time_steps,
)


@pytest.fixture
def loader(official_tree, pipeline):
    pipeline["load"]["cache_mb"] = 1
    pipeline["targets"]["dense"] = False
    return {
        "batch_size": 2,
        "sampler": {"type": "ImageWindowSampler", "window": 2, "seed": 0},
        "batch_sampler": {"type": "WorkerAffineBatchSampler", "num_workers": 2},
        "collate_fn": {"type": "vgtoolbox.grounding_collate"},
        "dataset": {
            "type": "GRefCOCODataset",
            "data_root": str(official_tree),
            "ann_root": "grefcoco",
            "image_root": "images",
            "split": "train",
            "pipeline": pipeline,
        },
    }


def test_baseline_config_disables_the_optimizations(loader):
    baseline = baseline_config(loader)
    assert baseline["sampler"]["type"] == "DefaultSampler"
    assert "batch_sampler" not in baseline
    steps = baseline["dataset"]["pipeline"]
    assert steps["load"]["cache_mb"] == 0
    assert steps["targets"]["dense"] is True
    assert steps["resize"]["cache_mb"] == 0
    for name in ("choose", "clean", "tokenize", "pack"):
        assert steps[name] == loader["dataset"]["pipeline"][name]
    assert loader["dataset"]["pipeline"]["load"]["cache_mb"] == 1


def test_baseline_gives_the_same_samples(loader):
    configs = (loader, baseline_config(loader))
    optimized, baseline = (build_loader(config, workers=0) for config in configs)
    for index in range(len(optimized.dataset)):
        one, other = optimized.dataset[index], baseline.dataset[index]
        assert (one["inputs"]["image"] == other["inputs"]["image"]).all()
        masks = [item["data_samples"].gt_instances.masks for item in (one, other)]
        assert masks[0].equal(masks[1])


def test_every_step_is_timed(loader):
    times = time_steps(build_loader(loader, workers=0), workers=2)
    steps = [step["type"] for step in loader["dataset"]["pipeline"].values()]
    numbered = [f"{number}. {name}" for number, name in enumerate(steps, start=1)]
    assert list(times) == [READ_RECORD, *numbered, COLLATE]
    assert all(value > 0 for value in times.values())


@pytest.mark.parametrize("workers", [0, 1])
def test_one_pass_is_timed(loader, workers):
    throughput = measure_loader(build_loader(loader, workers=workers))
    assert throughput.samples_per_second > 0
    assert throughput.cpu_ms >= 0
