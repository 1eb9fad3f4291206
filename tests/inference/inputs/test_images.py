import numpy as np
import pytest
from PIL import Image

from vgtoolbox.inference.inputs.images import image_name, read_image


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def test_path_array_and_pil_agree(pixels, tmp_path):
    path = tmp_path / "image.png"
    Image.fromarray(pixels).save(path)
    for image in (path, str(path), pixels, Image.fromarray(pixels)):
        assert np.array_equal(read_image(image), pixels)


def test_exif_orientation_is_applied_to_files_and_pil_images(tmp_path):
    path = tmp_path / "turned.jpg"
    image = Image.new("RGB", (40, 20))
    exif = image.getexif()
    exif[0x0112] = 6  # rotated by 90 degrees
    image.save(path, exif=exif)
    assert read_image(path).shape == read_image(Image.open(path)).shape == (40, 20, 3)


def test_grayscale_and_transparent_images_become_rgb():
    assert read_image(Image.new("L", (4, 5), 9)).tolist() == np.full((5, 4, 3), 9).tolist()
    assert read_image(Image.new("RGBA", (4, 5))).shape == (5, 4, 3)


def test_array_is_a_writable_copy(pixels):
    pixels.setflags(write=False)
    for view in (pixels, pixels[:, :, ::-1]):
        image = read_image(view)
        assert np.array_equal(image, view)
        assert image.flags.writeable
        assert image.flags.c_contiguous


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        ("nowhere.jpg", FileNotFoundError, "nowhere.jpg does not exist"),
        (".", FileNotFoundError, "is a folder"),
        (np.zeros((4, 4)), ValueError, "uint8 RGB array"),
        (3, TypeError, "got int"),
    ],
)
def test_invalid_images(image, error, message):
    with pytest.raises(error, match=message):
        read_image(image)


def test_image_names(pixels, tmp_path):
    path = tmp_path / "image.png"
    Image.fromarray(pixels).save(path)
    assert image_name(path, 0) == str(path)
    assert image_name(Image.open(path), 0) == str(path)
    assert image_name(pixels, 7) == "image-7"
