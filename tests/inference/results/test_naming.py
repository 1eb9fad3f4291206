import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vgtoolbox.inference import safe_name


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",))), max_size=3))
def test_any_text_gives_a_name(parts):
    name = safe_name(*parts)
    assert 0 < len(name.encode()) <= 120
    assert re.fullmatch(r"[^\W_]+(-[^\W_]+)*", name)
    assert name == safe_name(*parts)


def test_names_are_readable():
    assert safe_name("The left zebra!").startswith("the-left-zebra-")
    assert safe_name("photo", "斑马").startswith("photo-斑马-")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["red"], ["Red"]),
        (["a/b"], ["a b"]),
        (["a", "b"], ["a b"]),
        (["zebra " * 500], ["zebra " * 501]),
        (["!"], ["?"]),
    ],
)
def test_names_of_similar_texts_differ(one, other):
    assert safe_name(*one) != safe_name(*other)


@pytest.mark.parametrize("text", ["../../etc/passwd", "a\0b", "con:", "x\ny", "."])
def test_names_contain_no_path_separators_or_control_characters(text):
    assert not set(safe_name(text)) & set("/\\\0:\n.")
