"""Test unusual and malicious image files: each is decoded or gives an error with the cause."""

import io
import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vgtoolbox.inference.inputs.images import ImageReader, downscale_to_limit, read_image


def png_of(width, height, rows=b""):
    """Return a grayscale PNG whose header gives the size `width` x `height`."""

    def chunk(name, data):
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


@pytest.mark.parametrize("size", [(30_000, 30_000), (12_000, 12_000), (2**31 - 1, 2**31 - 1)])
def test_decompression_bomb_is_rejected_by_its_header(tmp_path, size):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_of(*size))
    with pytest.raises(ValueError, match=r"bomb\.png (must have|is too large).*") as raised:
        read_image(path)
    assert "pixels" in str(raised.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"just some words, no image", "it contains text"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"%PDF-1.7 and more", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 50 40\nshowpage\n", "PostScript"),
        (bytes(range(256)) * 4, "broken, or of a format"),
    ],
)
def test_error_describes_the_content_of_other_files(tmp_path, data, message):
    path = tmp_path / "photo.jpg"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf"photo\.jpg is not an image: .*{message}"):
        read_image(path)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".gif", ".tif"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_error_names_a_truncated_file(tmp_path, suffix, share):
    whole, cut = tmp_path / f"whole{suffix}", tmp_path / f"cut{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(whole)
    data = whole.read_bytes()
    cut.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ValueError, match=rf"cut\{suffix}.*(truncated|broken)"):
        read_image(cut)


def test_first_frame_of_an_animation_is_read(tmp_path):
    path = tmp_path / "moving.gif"
    frames = [Image.new("RGB", (9, 7), color) for color in ("red", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert read_image(path).tolist() == np.full((7, 9, 3), (255, 0, 0)).tolist()


def test_cmyk_is_converted_with_correct_colors(tmp_path):
    path = tmp_path / "print.jpg"
    Image.new("RGB", (16, 16), (200, 40, 90)).convert("CMYK").save(path, quality=100)
    assert np.abs(read_image(path).astype(int) - (200, 40, 90)).max() <= 3


@pytest.mark.parametrize("as_file", [True, False])
def test_16_bits_are_reduced_to_8(tmp_path, as_file):
    ramp = np.linspace(0, 65535, 64).astype(np.uint16)[None].repeat(4, 0)
    path = tmp_path / "deep.png"
    Image.fromarray(ramp).save(path)
    pixels = read_image(path if as_file else Image.open(path))
    assert np.abs(pixels[0, :, 0].astype(int) - ramp[0] / 257).max() <= 1


def test_alpha_is_dropped(tmp_path):
    path = tmp_path / "glass.png"
    Image.new("RGBA", (5, 4), (10, 20, 30, 0)).save(path)
    for image in (path, Image.open(path)):
        assert read_image(image).tolist() == np.full((4, 5, 3), (10, 20, 30)).tolist()


def test_one_pixel(tmp_path):
    path = tmp_path / "dot.png"
    Image.new("RGB", (1, 1), (1, 2, 3)).save(path)
    assert read_image(path).tolist() == [[[1, 2, 3]]]


@pytest.mark.parametrize("turn", range(1, 9))
def test_every_exif_orientation_is_turned_upright(tmp_path, turn):
    upright = np.zeros((24, 16, 3), np.uint8)
    upright[:8, :8] = 255  # top left
    # Stored pixels for each value of the EXIF orientation (TIFF 6.0, tag 274).
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[turn]
    image = Image.fromarray(np.ascontiguousarray(stored))
    exif = image.getexif()
    exif[0x0112] = turn
    path = tmp_path / "turned.jpg"
    image.save(path, exif=exif, quality=100)
    for form in (path, Image.open(path)):
        assert np.abs(read_image(form).astype(int) - upright).max() <= 8


class TestTensors:
    def test_bytes_and_floats(self):
        pixels = torch.arange(60, dtype=torch.uint8).reshape(3, 4, 5)
        expected = pixels.permute(1, 2, 0).numpy()
        assert np.array_equal(read_image(pixels), expected)
        assert np.array_equal(read_image(pixels / 255), expected)

    @pytest.mark.parametrize(
        ("tensor", "message"),
        [
            (torch.zeros(4, 5, 3), r"\(3, H, W\)"),
            (torch.zeros(1, 3, 4, 5), r"\(3, H, W\)"),
            (torch.zeros((3, 4, 5), dtype=torch.long), "int64"),
            (torch.full((3, 4, 5), -2.0), r"0\.\.1"),
            (torch.full((3, 4, 5), float("nan")), r"0\.\.1"),
        ],
    )
    def test_invalid_tensors(self, tensor, message):
        with pytest.raises(ValueError, match=message):
            read_image(tensor)


def test_max_pixels():
    with pytest.raises(ValueError, match="20 x 10 pixels"):
        read_image(np.zeros((10, 20, 3), np.uint8), max_pixels=199)
    assert read_image(np.zeros((10, 20, 3), np.uint8), max_pixels=200).shape == (10, 20, 3)


@pytest.mark.parametrize("size", [(100, 100), (1, 10_000), (10_000, 1), (333, 77)])
def test_downscaled_image_is_within_the_limit(size):
    smaller = downscale_to_limit(np.full((*size, 3), 7, np.uint8), limit=5000)
    assert smaller.shape[0] * smaller.shape[1] <= 5000
    assert (smaller == 7).all()
    unchanged = np.zeros((10, 10, 3), np.uint8)
    assert downscale_to_limit(unchanged, limit=100) is unchanged


def test_consecutive_duplicates_are_decoded_once(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (4, 4)).save(path)
    read = ImageReader()
    first = read(path)
    assert read(str(path)) is first
    assert read(np.ones((2, 2, 3), np.uint8)).shape == (2, 2, 3)
    assert read(path) is not first


def test_no_external_program_runs_for_postscript(tmp_path, monkeypatch):
    """Pillow would call Ghostscript for an EPS, whatever the name of the file."""
    witness = tmp_path / "ran"
    fake = tmp_path / "bin" / "gs"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\ntouch {witness}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:/usr/bin:/bin")
    path = tmp_path / "a.jpg"
    path.write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 50 40\n%%EndComments\nshowpage\n"
    )
    for image in (path, str(path)):
        with pytest.raises(ValueError, match="it looks like PostScript"):
            read_image(image)
    assert not witness.exists()


@pytest.mark.parametrize(
    "suffix", [".bmp", ".avif", ".jpg", ".png", ".gif", ".tif", ".webp", ".jp2"]
)
@given(data=st.data())
@settings(max_examples=30)
def test_damaged_files_give_an_image_or_one_kind_of_error(tmp_path_factory, suffix, data):
    noise = np.random.default_rng(0).integers(0, 256, (24, 16, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, Image.registered_extensions()[suffix])
    content = bytearray(buffer.getvalue())
    for position in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=6)):
        content[position] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / f"a{suffix}"
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    with suppress(ValueError):
        assert read_image(path, max_pixels=10**6).ndim == 3
