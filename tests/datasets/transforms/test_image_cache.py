import numpy as np
import pytest
import torch
from PIL import Image

from vgtoolbox.datasets.transforms import LoadImage, Resize
from vgtoolbox.datasets.transforms.image_cache import ImageCache
from vgtoolbox.structures import encode_masks, resize_masks


def _pixels(value, side=10):
    return np.full((side, side, 3), value, np.uint8)  # 300 bytes


class Reader:
    """Function that counts how often an image is read."""

    def __init__(self):
        self.reads = []

    def __call__(self, cache, value, side=10):
        def read():
            self.reads.append(value)
            return _pixels(value, side)

        return cache.get(str(value), read)


def test_cached_image_is_read_once():
    cache, get = ImageCache(1000), Reader()
    assert get(cache, 1) is get(cache, 1)
    assert get.reads == [1]
    assert cache.num_bytes == 300


def test_least_recently_used_image_is_dropped():
    cache, get = ImageCache(900), Reader()
    for value in (1, 2, 3, 1, 4, 1, 2):
        assert (get(cache, value) == value).all()
    assert get.reads == [1, 2, 3, 4, 2]
    assert cache.num_bytes == 900
    assert len(cache) == 3


def test_cache_stays_within_its_size():
    cache, get = ImageCache(1000), Reader()
    for value in range(50):
        get(cache, value, side=1 + value % 12)
        assert cache.num_bytes <= 1000
        assert cache.num_bytes == sum(p.nbytes for p in cache._images.values())


def test_image_larger_than_the_cache_is_not_kept():
    cache, get = ImageCache(299), Reader()
    get(cache, 1), get(cache, 1)
    assert get.reads == [1, 1]
    assert len(cache) == 0


def test_cache_of_size_zero_keeps_nothing():
    get = Reader()
    get(cache := ImageCache(0), 1)
    assert (len(cache), cache.num_bytes) == (0, 0)


def test_file_is_decoded_once_and_its_pixels_are_unchanged(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    load, resize = LoadImage(cache_mb=1), Resize(8)
    record = {"img_path": str(tmp_path / "a.png")}
    first = resize(load(dict(record)))["image"].clone()
    (tmp_path / "a.png").unlink()
    again = load(dict(record))
    assert np.array_equal(again["image"].permute(1, 2, 0).numpy(), pixels)
    assert (resize(again)["image"] == first).all()


def test_failed_reads_are_not_cached(tmp_path):
    load = LoadImage(cache_mb=1)
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            load({"img_path": str(tmp_path / "gone.png")})


def test_cache_size_is_checked():
    with pytest.raises(ValueError, match="cache_mb must be 0 or more"):
        LoadImage(cache_mb=-1)


def test_resized_image_is_cached_unless_a_step_changes_it(tmp_path):
    path = tmp_path / "photo.png"
    noise = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    load, resize = LoadImage(cache_mb=1), Resize(16, cache_mb=1)
    first, again = (resize(load({"img_path": str(path)}))["image"] for _ in range(2))
    assert first.data_ptr() == again.data_ptr()

    changed = load({"img_path": str(path)})
    changed["image"] = changed["image"] // 2
    darker = resize(changed)["image"]
    assert darker.float().mean() < 0.6 * first.float().mean()
    plain = Resize(16)(LoadImage()({"img_path": str(path)}))["image"]
    for kept in (first, resize(load({"img_path": str(path)}))["image"]):
        assert (kept == plain).all()


def test_cached_mask_belongs_to_its_object(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(np.zeros((40, 30, 3), np.uint8)).save(path)
    masks = torch.rand(3, 40, 30, generator=torch.Generator().manual_seed(0)) > 0.5
    load, resize = LoadImage(cache_mb=1), Resize(16, cache_mb=1)

    def resized(*objects):
        sample = load({"img_path": str(path)})
        return resize({**sample, "rles": encode_masks(masks[list(objects)])})["masks"]

    expected = resize_masks(masks, (16, 16))
    for objects in ([0], [1, 0], [2, 1, 0], [0], []):
        assert resized(*objects).equal(expected[objects])
    other = {**load({"img_path": str(path)}), "rles": encode_masks(masks[:1, :30, :30])}
    with pytest.raises(ValueError, match="of its image, 40 x 30"):
        resize(other)
