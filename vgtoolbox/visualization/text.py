"""Fonts and line breaking for text in pictures."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import matplotlib
from PIL import ImageFont

ELLIPSIS = "…"


@lru_cache(maxsize=32)
def load_font(size: int, file: str | None = None) -> ImageFont.FreeTypeFont:
    """Load a font at a height of `size` pixels.

    Args:
        size: In pixels.
        file: A TrueType or OpenType file; None takes DejaVu Sans, which comes with matplotlib and
            covers Latin, Greek, Cyrillic and symbols. Other scripts need a font of their own.
    """
    if file is not None and not Path(file).is_file():
        raise FileNotFoundError(f"no font file {file}; leave it out to use DejaVu Sans")
    default = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(file or str(default), size)


def line_height(font: ImageFont.FreeTypeFont) -> int:
    """Return the pixels from one baseline to the next."""
    ascent, descent = font.getmetrics()
    return ascent + descent


def wrap_text(
    text: str, font: ImageFont.FreeTypeFont, width: int, *, max_lines: int | None = None
) -> list[str]:
    """Break text into lines of at most `width` pixels.

    Lines break at white space; a word that is wider than a line breaks between characters, as text
    without spaces has to. A line holds one character at least, whatever its width.

    Args:
        text: Any text; white space of any kind counts as one space.
        font: What the text will be set in.
        width: In pixels.
        max_lines: What is beyond is left out, and an ellipsis says so.
    """
    lines: list[str] = []
    current = ""
    for word in text.split():
        joined = f"{current} {word}" if current else word
        if font.getlength(joined) <= width:
            current = joined
            continue
        if current:
            lines.append(current)
        *full, current = _split_word(word, font, width)
        lines += full
        if max_lines is not None and len(lines) > max_lines:
            break
    lines += [current] if current else []
    if max_lines is None or len(lines) <= max_lines:
        return lines
    kept = lines[:max_lines]
    return [*kept[:-1], _with_ellipsis(kept[-1], font, width)]


def _split_word(word: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Cut a word into pieces of at most `width` pixels."""
    pieces = [""]
    for character in word:
        if pieces[-1] and font.getlength(pieces[-1] + character) > width:
            pieces.append("")
        pieces[-1] += character
    return pieces


def _with_ellipsis(line: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """Shorten a line until an ellipsis fits behind it."""
    while line and font.getlength(line + ELLIPSIS) > width:
        line = line[:-1]
    return line.rstrip() + ELLIPSIS
