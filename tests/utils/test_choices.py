import pytest

from vgtoolbox.utils.choices import check_choice, did_you_mean, is_nearly


def test_allowed_values_pass():
    check_choice("frame", "input", ["original", "input"])


@pytest.mark.parametrize(
    ("choices", "listed"),
    [(["a"], "'a'"), (["a", "b"], "'a' or 'b'"), (["a", "b", "c"], "'a', 'b' or 'c'")],
)
def test_other_values_raise_an_error_that_lists_the_allowed_ones(choices, listed):
    with pytest.raises(ValueError, match=f"^mode must be {listed}, got 'x'$"):
        check_choice("mode", "x", choices)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("testa", "; did you mean 'testA'?"),
        ("test A", "; did you mean 'testA'?"),
        ("vla", ""),
        ("vall", "; did you mean 'val'?"),
        ("tran", "; did you mean 'train'?"),
        ("kitchen", ""),
    ],
)
def test_the_nearest_name_is_suggested(name, hint):
    assert did_you_mean(name, ["train", "val", "testA", "testB"]) == hint


@pytest.mark.parametrize(
    ("name", "other", "expected"),
    [
        ("val", "val", False),
        ("Val", "val", True),
        ("test_A", "testA", True),
        ("vall", "val", True),
        ("vl", "val", True),
        ("vol", "val", True),
        ("vla", "val", True),
        ("lav", "val", False),
        ("trian", "train", True),
        ("triann", "train", False),
        ("", "v", True),
        ("valid", "val", False),
    ],
)
def test_names_one_edit_apart_are_nearly_equal(name, other, expected):
    assert is_nearly(name, other) is expected
    assert is_nearly(other, name) is expected


def test_the_nearest_choice_is_suggested():
    with pytest.raises(ValueError, match=r"got 'testa'; did you mean 'testA'\?$"):
        check_choice("split", "testa", ["train", "testA", 3, None])
    with pytest.raises(ValueError, match=r"got 3$"):
        check_choice("split", 3, ["train"])
