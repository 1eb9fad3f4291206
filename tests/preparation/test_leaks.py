import pytest

from vgtoolbox.preparation import find_leaks


def test_splits_by_images_share_none(twins):
    assert find_leaks(twins, ["refcoco", "refcoco+"], ["refcoco", "grefcoco", "plvl:unc/val"]) == []


def test_splits_by_objects_share_images(twins):
    (leak,) = find_leaks(twins, ["refcocog:umd/train"], ["refcocog:google/val"])
    assert (leak.training, leak.test) == ("refcocog:umd/train", "refcocog:google/val")
    assert 0 < len(leak.images) <= leak.test_images
    assert all(len(key) == 12 and key.isdigit() for key in leak.images)


def test_training_on_a_test_is_found_under_any_format(twins):
    """All tests of all formats hold the images of the world's test."""
    leaks = find_leaks(twins, ["refcocog:umd/test"])
    by_test = {leak.test: leak for leak in leaks}
    for test in ("refcoco:test", "refcoco+:testA", "plvl:unc/testB", "instancevg:grefs/testA"):
        assert len(by_test[test].images) == by_test[test].test_images
    assert "refcoco:val" not in by_test


@pytest.mark.parametrize(
    ("name", "message"),
    [("refcoco3", "is no benchmark; there are: refcoco"), ("refcoco:testC", "no split 'testC'")],
)
def test_an_unknown_name_is_an_error(twins, name, message):
    with pytest.raises(ValueError, match=message):
        find_leaks(twins, [name])
