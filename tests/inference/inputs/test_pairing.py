import pytest
from hypothesis import given
from hypothesis import strategies as st

from vgtoolbox.inference.inputs.pairing import chunks, pair_up


@pytest.mark.parametrize(
    ("images", "expressions", "pairs"),
    [
        ("i", "a", [("i", "a")]),
        ("i", ["a", "b"], [("i", "a"), ("i", "b")]),
        (["i", "j"], "a", [("i", "a"), ("j", "a")]),
        (["i", "j"], ["a", "b"], [("i", "a"), ("j", "b")]),
        (["i", "j"], [["a", "b"]], [("i", "a"), ("i", "b"), ("j", "a"), ("j", "b")]),
        (["i", "j"], [["a", "b"], ["c"]], [("i", "a"), ("i", "b"), ("j", "c")]),
        (["i", "j"], [["a", "b"], "c"], [("i", "a"), ("i", "b"), ("j", "c")]),
        (["i", "j"], [[], ["c"]], [("j", "c")]),
        ("i", [["a", "b"]], [("i", "a"), ("i", "b")]),
        ([], "a", []),
    ],
)
def test_pairs(images, expressions, pairs):
    assert pair_up(images, expressions) == pairs


def test_folder_counts_as_several_images(tmp_path):
    (tmp_path / "only.jpg").touch()
    with pytest.raises(ValueError, match="1 images and 2 expressions"):
        pair_up(tmp_path, ["a", "b"])
    assert len(pair_up(tmp_path, [["a", "b"]])) == 2


@pytest.mark.parametrize("expressions", [[1], [["a", 2]], [None, "a"]])
def test_expressions_that_are_not_texts(expressions):
    with pytest.raises(TypeError, match="an expression must be a text"):
        pair_up(["i", "j"], expressions)


@given(st.lists(st.integers()), st.integers(1, 7))
def test_chunks_keep_all_items_in_order(items, size):
    parts = list(chunks(items, size))
    assert [item for part in parts for item in part] == items
    assert all(len(part) == size for part in parts[:-1])
