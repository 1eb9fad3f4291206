import pytest

from vgtoolbox.utils.choices import check_choice


def test_allowed_values_pass():
    check_choice("frame", "input", ["original", "input"])


@pytest.mark.parametrize(
    ("choices", "listed"),
    [(["a"], "'a'"), (["a", "b"], "'a' or 'b'"), (["a", "b", "c"], "'a', 'b' or 'c'")],
)
def test_other_values_raise_an_error_that_lists_the_allowed_ones(choices, listed):
    with pytest.raises(ValueError, match=f"^mode must be {listed}, got 'x'$"):
        check_choice("mode", "x", choices)
