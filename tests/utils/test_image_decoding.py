"""Images from unknown sources, as training reads them; `infer` shares the decoder."""

import ast
import io
import os
import pickle
import struct
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import vgtoolbox
from vgtoolbox.datasets import LoadImage
from vgtoolbox.inference.inputs.images import read_image
from vgtoolbox.utils import image_decoding
from vgtoolbox.utils.image_decoding import MAX_FILE_BYTES, decode_image
from vgtoolbox.utils.image_files import MAX_PIXELS, ImageFileError

PIXELS = cv2.resize(np.random.default_rng(0).integers(0, 256, (3, 4, 3), dtype=np.uint8), (40, 30))
COLORS = Image.fromarray(PIXELS)


def load(path, **options):
    image = LoadImage(**options)({"img_path": str(path), "sample_id": "5_9"})["image"]
    return image.permute(1, 2, 0).numpy()


def encoded(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.fixture
def write(tmp_path):
    def write(data, name="a.jpg"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


FOREIGN = {
    "eps": lambda: encoded(COLORS, "EPS"),
    "pdf": lambda: encoded(COLORS, "PDF"),
    "ico": lambda: encoded(COLORS, "ICO"),
    "pcx": lambda: encoded(COLORS, "PCX"),
    "sgi": lambda: encoded(COLORS, "SGI"),
    "tga": lambda: encoded(COLORS, "TGA"),
    "icns": lambda: encoded(COLORS.resize((32, 32)), "ICNS"),
    "hdr": lambda: cv2.imencode(".hdr", PIXELS.astype(np.float32))[1].tobytes(),
    "sun raster": lambda: cv2.imencode(".ras", PIXELS)[1].tobytes(),
    "svg": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"/>',
}


@pytest.mark.parametrize("make", FOREIGN.values(), ids=FOREIGN)
def test_other_formats_than_those_of_photographs_are_refused(write, make):
    path = write(make())
    for read in (load, read_image):
        with pytest.raises(ImageFileError, match=r"a\.jpg.* is not an image: "):
            read(path)


def test_no_external_program_runs_in_training(write, tmp_path, monkeypatch):
    witness = tmp_path / "ran"
    fake = tmp_path / "bin" / "gs"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\ntouch {witness}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:/usr/bin:/bin")
    with pytest.raises(ImageFileError, match=r"sample 5_9, .*a\.jpg.* it looks like PostScript"):
        load(write(encoded(COLORS, "EPS")))
    assert not witness.exists()


def with_size(kind, width, height):
    """Return a file of a few bytes whose header gives another size."""
    data = bytearray(encoded(Image.new("L" if kind == "TIFF" else "RGB", (8, 8)), kind))
    if kind == "JPEG":
        at = data.index(b"\xff\xc0") + 5
        data[at : at + 4] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    elif kind == "BMP":
        data[18:26] = width.to_bytes(4, "little") + height.to_bytes(4, "little")
    elif kind == "GIF":
        data[6:10] = width.to_bytes(2, "little") + height.to_bytes(2, "little")
    elif kind == "TIFF":
        for tag, value in ((256, width), (257, height)):
            at = data.index(tag.to_bytes(2, "little") + b"\x04\x00\x01\x00\x00\x00") + 8
            data[at : at + 4] = value.to_bytes(4, "little")
    elif kind == "PPM":
        data = bytearray(b"P6 %d %d 255\n" % (width, height) + bytes(30))
    elif kind == "JPEG2000":
        for at in (data.index(b"ihdr") + 4, data.index(b"\xff\x51") + 6):
            first, second = (height, width) if at < data.index(b"\xff\x51") else (width, height)
            data[at : at + 8] = first.to_bytes(4, "big") + second.to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize("kind", ["JPEG", "BMP", "GIF", "TIFF", "PPM", "JPEG2000"])
@pytest.mark.parametrize("size", [(12_500, 12_500), (60_000, 60_000)])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_bombs_are_refused_before_they_are_decoded(write, kind, size, monkeypatch):
    def fail(*_, **__):
        pytest.fail("the image was decoded")

    path = write(with_size(kind, *size))
    monkeypatch.setattr("vgtoolbox.utils.image_decoding._decode_with_opencv", fail)
    monkeypatch.setattr("vgtoolbox.utils.image_decoding._decode_with_pillow", fail)
    for read in (load, read_image):
        with pytest.raises(ImageFileError, match=r"a\.jpg.* (must have at most|is too large)"):
            read(path)


def test_the_limit_of_pixels_is_an_option(write):
    path = write(encoded(Image.new("RGB", (20, 10)), "PNG"))
    assert LoadImage().max_pixels == MAX_PIXELS
    assert load(path, max_pixels=200).shape == (10, 20, 3)
    with pytest.raises(ImageFileError, match=r"sample 5_9, .*a\.jpg: the file must have at most"):
        load(path, max_pixels=199)
    with pytest.raises(ValueError, match="max_pixels must be 1 or more, got 0"):
        LoadImage(max_pixels=0)


def test_progressive_images_of_many_scans_are_refused(write):
    data = encoded(Image.new("RGB", (400, 400), (9, 80, 200)), "JPEG", progressive=True)
    assert decode_image(data, "a").shape == (400, 400, 3)
    scan = data[data.rindex(b"\xff\xda") : -2]
    path = write(data[:-2] + scan * 5000 + data[-2:])
    started = time.perf_counter()
    with pytest.raises(ImageFileError, match=r"a\.jpg.* got 50\d\d scans of 400 x 400 pixels"):
        load(path)
    assert time.perf_counter() - started < 1


def test_scans_in_a_video_after_the_image_do_not_count(write):
    data = encoded(Image.new("RGB", (40, 40)), "JPEG", progressive=True)
    assert load(write(data + b"\xff\xda" * 5000)).shape == (40, 40, 3)


@pytest.mark.parametrize("read", [load, read_image])
def test_files_that_never_end_are_refused(tmp_path, read):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    (tmp_path / "folder.jpg").mkdir()
    for name in ("pipe.jpg", "zero.jpg", "folder.jpg"):
        with pytest.raises((ImageFileError, FileNotFoundError), match=name):
            read(tmp_path / name)


@pytest.mark.parametrize("name", ["a\0b.jpg", "\ud800.jpg"])
def test_names_that_no_file_can_have_are_refused(tmp_path, name):
    with pytest.raises(ImageFileError, match=r"sample 5_9, .*: the file must have a possible name"):
        load(tmp_path / name)


def test_huge_files_are_refused_unread(tmp_path):
    path = tmp_path / "a.jpg"
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)  # sparse
    with pytest.raises(ImageFileError, match=r"a\.jpg: the file must have at most 1024 MiB"):
        load(path)


PALETTE = COLORS.quantize(16)
KINDS = {
    "animated gif": (
        encoded(PALETTE, "GIF", save_all=True, append_images=[Image.new("P", (40, 30))]),
        np.asarray(PALETTE.convert("RGB")),
    ),
    "animated png": (
        encoded(COLORS, "PNG", save_all=True, append_images=[Image.new("RGB", (40, 30))]),
        PIXELS,
    ),
    "pages of a tiff": (
        encoded(COLORS, "TIFF", save_all=True, append_images=[Image.new("RGB", (9, 9))]),
        PIXELS,
    ),
    "motion photo of two images": (
        encoded(COLORS, "MPO", save_all=True, append_images=[COLORS], quality=100, subsampling=0),
        PIXELS,
    ),
    "palette with transparency": (
        encoded(PALETTE, "PNG", transparency=3),
        np.asarray(PALETTE.convert("RGB")),
    ),
    "cmyk jpeg": (encoded(COLORS.convert("CMYK"), "JPEG", quality=100), PIXELS),
    "cmyk tiff": (encoded(COLORS.convert("CMYK"), "TIFF"), PIXELS),
    "gray and alpha": (
        encoded(COLORS.convert("LA"), "PNG"),
        np.asarray(COLORS.convert("L").convert("RGB")),
    ),
    "fax": (
        encoded(COLORS.convert("1"), "TIFF", compression="group4"),
        np.asarray(COLORS.convert("1").convert("RGB")),
    ),
    "16 bits": (
        encoded(Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257), "PNG"),
        PIXELS[..., :1].repeat(3, 2),
    ),
    "16-bit tiff": (
        encoded(Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257), "TIFF"),
        PIXELS[..., :1].repeat(3, 2),
    ),
    "webp": (encoded(COLORS, "WEBP", lossless=True), PIXELS),
    "jpeg 2000": (encoded(COLORS, "JPEG2000"), PIXELS),
    "ppm": (encoded(COLORS, "PPM"), PIXELS),
}


@pytest.mark.parametrize(("data", "expected"), KINDS.values(), ids=KINDS)
def test_unusual_kinds_are_the_same_in_training_and_inference(write, data, expected):
    path = write(data)
    pixels = load(path)
    assert np.abs(pixels.astype(int) - expected).mean() < 1
    assert np.array_equal(read_image(path), pixels)


@pytest.mark.parametrize(
    "kind", ["JPEG", "PNG", "BMP", "DIB", "GIF", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF"]
)
def test_one_pixel_of_every_format_is_read(write, kind):
    pixels = load(write(encoded(Image.new("RGB", (1, 1), (250, 250, 250)), kind)))
    assert pixels.shape == (1, 1, 3)
    assert np.abs(pixels.astype(int) - 250).max() <= 6


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
def test_both_decoders_turn_images_upright(write, turn, mode):
    exif = Image.Exif()
    exif[0x0112] = turn
    path = write(encoded(COLORS.convert(mode), "JPEG", exif=exif, quality=100, subsampling=0))
    flipped = PIXELS[:, ::-1] if turn in (2, 4, 5, 7) else PIXELS
    turns = {1: 0, 2: 0, 3: 2, 4: 2, 5: 1, 6: -1, 7: -1, 8: 1}[turn]
    assert np.abs(load(path).astype(int) - np.rot90(flipped, turns)).mean() < 1


def test_errors_travel_from_worker_processes():
    error = ImageFileError("a.jpg is broken")
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy)) == (ImageFileError, "a.jpg is broken")


def test_every_image_of_the_package_is_opened_with_a_list_of_formats():
    """No other module decodes files: each would need the limits of `image_decoding`."""
    decoders = {"imread", "imdecode", "imreadmulti", "decode_image", "decode_jpeg", "read_file"}
    package = Path(vgtoolbox.__file__).parent
    found = []
    for file in package.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            owner = getattr(node.func.value, "id", "")
            is_open = (owner, node.func.attr) == ("Image", "open")
            if is_open and not any(keyword.arg == "formats" for keyword in node.keywords):
                found.append(f"{file}:{node.lineno}")
            if owner in ("cv2", "io", "mmcv", "plt") and node.func.attr in decoders:
                found += [] if file.name == "image_decoding.py" else [f"{file}:{node.lineno}"]
    assert found == []


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_plain_jpegs_are_decoded_as_pillow_opens_them(mode, progressive, monkeypatch):
    stream = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (33, 45, 3), np.uint8)
    Image.fromarray(pixels).convert(mode).save(stream, "JPEG", progressive=progressive)
    data = stream.getvalue()
    size = image_decoding._baseline_jpeg_size(data)
    assert size == (None if progressive or mode == "CMYK" else (45, 33))
    found = image_decoding.decode_image(data, "a.jpg")
    monkeypatch.setattr(image_decoding, "_baseline_jpeg_size", lambda _: None)
    assert np.array_equal(found, image_decoding.decode_image(data, "a.jpg"))
    with pytest.raises(ImageFileError, match="pixels"):
        image_decoding.decode_image(data, "a.jpg", max_pixels=100)


def test_a_png_without_all_of_its_pixels_is_refused():
    def chunk(kind, content):
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", 100, 100, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1000))  # of 100 x 301 bytes
    data = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )
    with pytest.raises(ImageFileError, match=r"a\.png"):
        decode_image(data, "a.png")
