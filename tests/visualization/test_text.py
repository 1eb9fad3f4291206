import pytest
from hypothesis import given
from hypothesis import strategies as st

from vgtoolbox.visualization.text import ELLIPSIS, load_font, wrap_text

FONT = load_font(12)
texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=120)


@given(texts, st.integers(1, 300))
def test_lines_fit_and_keep_all_characters(text, width):
    lines = wrap_text(text, FONT, width)
    assert all(FONT.getlength(line) <= width or len(line) == 1 for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


@given(texts, st.integers(20, 300), st.integers(1, 3))
def test_omitted_text_is_marked_by_an_ellipsis(text, width, max_lines):
    all_lines = wrap_text(text, FONT, width)
    lines = wrap_text(text, FONT, width, max_lines=max_lines)
    if len(all_lines) <= max_lines:
        assert lines == all_lines
    else:
        assert len(lines) == max_lines
        assert lines[-1].endswith(ELLIPSIS)
        assert FONT.getlength(lines[-1]) <= width


def test_breaks_between_words_before_breaking_within_them():
    width = int(FONT.getlength("red circle")) + 1
    assert wrap_text("a red circle", FONT, width) == ["a red", "circle"]
    assert wrap_text("", FONT, width) == []
    pieces = wrap_text("斑" * 40, FONT, 60)
    assert len(pieces) > 1
    assert "".join(pieces) == "斑" * 40


def test_missing_font_file():
    with pytest.raises(FileNotFoundError, match=r"nowhere\.ttf"):
        load_font(12, "nowhere.ttf")
