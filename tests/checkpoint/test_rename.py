import pytest
from hypothesis import given
from hypothesis import strategies as st

from vgtoolbox.checkpoint.rename import RenameTable

TABLE = RenameTable(
    [
        ("old.stem.weight", "stem.weight"),
        ("old.layers.{i}.fc.{rest}", "blocks.{i}.linear.{rest}"),
        ("old.stage{i}_{j}.{rest}", "stages.{j}.{i}.{rest}"),
        ("old.a.b.{rest}", "special.{rest}"),
        ("old.a.{rest}", "general.{rest}"),
    ]
)
PAIRS = [
    ("old.stem.weight", "stem.weight"),
    ("old.layers.11.fc.bias", "blocks.11.linear.bias"),
    ("old.layers.0.fc.norm.weight", "blocks.0.linear.norm.weight"),
    ("old.stage3_0.bn.running_mean", "stages.0.3.bn.running_mean"),
    ("old.a.b.weight", "special.weight"),
    ("old.a.c.weight", "general.c.weight"),
]


@pytest.mark.parametrize(("published", "ours"), PAIRS)
def test_both_ways(published, ours):
    assert TABLE.to_ours(published) == ours
    assert TABLE.to_published(ours) == published


@pytest.mark.parametrize(
    "key",
    [
        "",
        "old.stem.bias",
        "old.stem.weights",
        "prefix.old.stem.weight",
        "old.stemXweight",  # a dot of a template is a dot, not any character
        "old.layers.x.fc.bias",  # {i} is a number
        "old.layers..fc.bias",
        "old.layers.1.fc.",  # {rest} is something
        "old.stage3.bn.weight",
    ],
)
def test_unknown_keys_are_none(key):
    assert TABLE.to_ours(key) is None
    assert TABLE.to_published(key) is None


def test_our_names_are_not_published_names():
    assert TABLE.to_ours("stem.weight") is None
    assert TABLE.to_published("old.stem.weight") is None


def test_the_first_matching_row_is_used():
    general_first = RenameTable([("a.{rest}", "x.{rest}"), ("a.b.{rest}", "y.{rest}")])
    assert general_first.to_ours("a.b.c") == "x.b.c"


@given(st.integers(0, 999), st.integers(0, 999), st.text("abc._0", min_size=1))
def test_placeholders_keep_their_text(i, j, rest):
    published = f"old.stage{i}_{j}.{rest}"
    ours = TABLE.to_ours(published)
    assert ours == f"stages.{j}.{i}.{rest}"
    assert TABLE.to_published(ours) == published


def test_a_template_with_an_unknown_placeholder():
    with pytest.raises(KeyError, match="layer"):
        RenameTable([("a.{layer}", "b.{layer}")])


def test_a_key_without_a_row_is_named_with_its_layout():
    table = RenameTable([("old.{rest}", "new.{rest}")], name="the old release")
    assert table.our_name("old.a") == "new.a"
    assert table.published_name("new.a") == "old.a"
    with pytest.raises(ValueError, match=r"new\.a is not a key of the old release"):
        table.our_name("new.a")
    with pytest.raises(ValueError, match=r"old\.a has no counterpart in the old release"):
        table.published_name("old.a")
