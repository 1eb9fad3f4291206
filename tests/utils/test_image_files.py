import numpy as np
import pytest
from PIL import ExifTags, Image

from vgtoolbox.datasets.transforms import LoadImage
from vgtoolbox.utils.image_files import ImageFileError, image_size

PIXELS = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
    b'syntax-ns#"><rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
    b'tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)


def _decoded_size(file):
    return LoadImage()({"img_path": str(file)})["ori_shape"]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("orientation", [1, 3, 5, 6, 8])
def test_size_is_that_of_the_decoded_pixels(tmp_path, suffix, orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    file = tmp_path / f"a{suffix}"
    Image.fromarray(PIXELS).save(file, exif=exif)
    expected = (64, 48) if orientation >= 5 else (48, 64)
    assert image_size(file) == _decoded_size(file) == expected


@pytest.mark.parametrize(
    "options", [{"exif": b"Exif\0\0broken"}, {"xmp": XMP}], ids=["broken", "xmp"]
)
def test_data_that_decoders_ignore_do_not_turn_the_size(tmp_path, options):
    file = tmp_path / "a.jpg"
    Image.fromarray(PIXELS).save(file, **options)
    assert image_size(file) == _decoded_size(file) == (48, 64)


def test_file_that_is_not_an_image_is_named(tmp_path):
    (tmp_path / "a.jpg").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")
    for name in ("a.jpg", "missing.jpg"):
        with pytest.raises(ImageFileError, match=rf"image .*{name} cannot be read"):
            image_size(tmp_path / name)
