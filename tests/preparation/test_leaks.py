import pytest

from vgtoolbox.preparation import find_leaks


def test_splits_by_images_have_no_leaks(world):
    assert find_leaks(world, ["refcoco", "refcoco+"], ["refcoco", "grefcoco", "plvl:unc/val"]) == []


def test_splits_by_objects_share_images(world):
    (leak,) = find_leaks(world, ["refcocog:umd/train"], ["refcocog:google/val"])
    assert (leak.training, leak.test) == ("refcocog:umd/train", "refcocog:google/val")
    assert 0 < len(leak.images) <= leak.test_images
    assert all(len(key) == 12 and key.isdigit() for key in leak.images)


def test_leaks_are_found_across_formats(world):
    """The test splits of all formats contain the same images."""
    leaks = find_leaks(world, ["refcocog:umd/test"])
    by_test = {leak.test: leak for leak in leaks}
    for test in ("refcoco:test", "refcoco+:testA", "plvl:unc/testB", "instancevg:grefs/testA"):
        assert len(by_test[test].images) == by_test[test].test_images
    assert "refcoco:val" not in by_test


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("refcoco3", "benchmark must be 'refcoco', .* got 'refcoco3'"),
        ("refcoco:testC", "split of refcoco must be 'train', 'val' or 'test', got 'testC'"),
    ],
)
def test_unknown_benchmark_or_split_raises(world, name, message):
    with pytest.raises(ValueError, match=message):
        find_leaks(world, [name])
