import numpy as np
import pytest
from PIL import Image

from vgtoolbox.visualization.image_file import save_image

RED = np.full((4, 6, 3), (255, 0, 0), np.uint8)


@pytest.mark.parametrize(
    ("name", "kind"), [("a.png", "PNG"), ("b.JPG", "JPEG"), ("new/c.webp", "WEBP")]
)
def test_the_suffix_names_the_format(tmp_path, name, kind):
    save_image(RED, tmp_path / name)
    with Image.open(tmp_path / name) as image:
        assert (image.format, image.size) == (kind, (6, 4))


@pytest.mark.parametrize("name", ["a", "a.txt"])
def test_a_suffix_that_names_no_format_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="suffix of an image must name a format"):
        save_image(RED, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_failure_keeps_the_old_file(tmp_path):
    save_image(RED, tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    with pytest.raises((TypeError, ValueError)):
        save_image(RED.astype(np.float64), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
