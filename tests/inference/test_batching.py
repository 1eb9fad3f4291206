import pytest

from vgtoolbox.inference.batching import run_batches

PAIRS = [(f"{name}.jpg", "a dog") for name in "abcdefg"]
NAMES = [image for image, _ in PAIRS]


def results_of(positions, *, broken=(), on_error=None):
    """Return the yielded batches and the batches that the model saw."""
    seen = []

    def prepare(pair, name):
        if name in broken:
            raise OSError(f"{name} is broken")
        return name

    def predict(prepared):
        seen.append(prepared)
        return [f"{name} in {'+'.join(prepared)}" for name in prepared]

    batches = run_batches(
        PAIRS,
        NAMES,
        positions,
        prepare=prepare,
        predict=predict,
        batch_size=3,
        on_error=on_error,
    )
    return [list(batch) for batch in batches], seen


def test_a_resumed_run_forms_the_batches_of_an_uninterrupted_one():
    whole, batches = results_of(range(7))
    assert [len(batch) for batch in batches] == [3, 3, 1]
    flat = [result for batch in whole for result in batch]
    for written in range(7):
        rest, seen = results_of(range(written, 7))
        assert [result for batch in rest for result in batch] == flat[written:]
        assert seen == batches[written // 3 :]


def test_a_broken_image_of_a_written_pair_is_not_reported_again():
    failures = []
    found, seen = results_of(
        [1, 4, 5],
        broken=("a.jpg", "e.jpg"),
        on_error=lambda name, *_: failures.append(name),
    )
    assert seen == [["b.jpg", "c.jpg"], ["d.jpg", "f.jpg"]]
    assert found == [["b.jpg in b.jpg+c.jpg"], ["f.jpg in d.jpg+f.jpg"]]
    assert failures == ["e.jpg"]
    with pytest.raises(OSError, match=r"e\.jpg is broken"):
        results_of([4], broken=("e.jpg",))
