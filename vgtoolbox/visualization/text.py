"""Load fonts and wrap text for drawing on images."""

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
        size: Height in pixels.
        file: Path of a TrueType or OpenType file. If `None`, DejaVu Sans is used, which comes with
            matplotlib and covers Latin, Greek, Cyrillic and symbols, but not other scripts.

    Raises:
        FileNotFoundError: The file does not exist.
    """
    if file is not None and not Path(file).is_file():
        raise FileNotFoundError(f"the font file {file} does not exist; omit it to use DejaVu Sans")
    default = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(file or str(default), size)


def line_height(font: ImageFont.FreeTypeFont) -> int:
    """Return the distance between two baselines in pixels."""
    ascent, descent = font.getmetrics()
    return ascent + descent


def wrap_text(
    text: str, font: ImageFont.FreeTypeFont, width: int, *, max_lines: int | None = None
) -> list[str]:
    """Break text into lines of at most `width` pixels.

    Lines break at whitespace. A word wider than a line breaks between characters, and so does text
    without spaces. A line has at least one character, even if that is wider than `width`.

    Args:
        text: Text to wrap. Whitespace of any kind and length counts as one space.
        font: Font of the text.
        width: Largest width of a line in pixels.
        max_lines: Largest number of lines; longer text is cut and ends in an ellipsis. If `None`,
            there is no limit.
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
    """Split a word into pieces of at most `width` pixels."""
    pieces = [""]
    for character in word:
        if pieces[-1] and font.getlength(pieces[-1] + character) > width:
            pieces.append("")
        pieces[-1] += character
    return pieces


def _with_ellipsis(line: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """Shorten a line until an ellipsis fits after it."""
    while line and font.getlength(line + ELLIPSIS) > width:
        line = line[:-1]
    return line.rstrip() + ELLIPSIS
