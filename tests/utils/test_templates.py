import pytest

from vgtoolbox.utils.templates import fill_template


def test_fields_are_replaced_and_nothing_else():
    assert fill_template("<{a}> {b}{a}", a="1", b="{a}") == "<1> {a}1"
    assert fill_template("{{a}} {a}", a="x") == "{a} x"
    assert fill_template("no field", a="x") == "no field"


@pytest.mark.parametrize(
    "template", ["{a:>1000000000}", "{a.__class__}", "{a[0]}", "{a!r}", "{", "}"]
)
def test_attributes_and_widths_stay_text(template):
    assert fill_template(template, a="x") == template


def test_an_unknown_field_is_an_error():
    with pytest.raises(ValueError, match=r"must have the fields \{a\} only, got \{c\}"):
        fill_template("{c}", a="x")
