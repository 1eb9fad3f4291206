import io

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vgtoolbox.datasets import LoadImage, LoadTargets
from vgtoolbox.datasets.transforms.sample import decode_targets
from vgtoolbox.structures import decode_masks, encode_masks

HEIGHT, WIDTH = 30, 40


def _smooth(height=HEIGHT, width=WIDTH, seed=0):
    """Return an image that JPEG compression barely changes."""
    coarse = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height))


def _load(path, **record):
    return LoadImage()({"img_path": str(path), "sample_id": "5_9", **record})


def _save(path, pixels, **kwargs):
    Image.fromarray(pixels).save(path, **kwargs)
    return path


def test_image_is_read_as_rgb(tmp_path):
    pixels = _smooth()
    results = _load(_save(tmp_path / "a.png", pixels), height=HEIGHT, width=WIDTH)
    assert results["image"].dtype == torch.uint8
    assert np.array_equal(results["image"].permute(1, 2, 0).numpy(), pixels)
    assert results["ori_shape"] == (HEIGHT, WIDTH)


def test_jpeg_is_read(tmp_path):
    pixels = _smooth()
    image = _load(_save(tmp_path / "a.jpg", pixels, quality=95))["image"]
    assert np.abs(image.permute(1, 2, 0).numpy().astype(int) - pixels).mean() < 4


def _variants():
    rgb = _smooth()
    gray = rgb[..., 0]
    three_gray = np.repeat(gray[..., None], 3, 2)
    yield "gray", Image.fromarray(gray), three_gray
    alpha = np.full((*gray.shape, 1), 90, np.uint8)
    yield "rgba", Image.fromarray(np.concatenate([rgb, alpha], 2)), rgb
    palette = Image.fromarray(rgb).quantize(16)
    yield "palette", palette, np.asarray(palette.convert("RGB"))
    yield "16-bit", Image.fromarray(gray.astype(np.uint16) * 257), three_gray
    yield "1-bit", Image.fromarray(gray > 127), np.repeat((gray > 127)[..., None], 3, 2) * 255


@pytest.mark.parametrize(
    ("image", "expected"), [pytest.param(*v[1:], id=v[0]) for v in _variants()]
)
def test_other_kinds_of_png_become_8_bit_rgb(tmp_path, image, expected):
    image.save(tmp_path / "a.png")
    loaded = _load(tmp_path / "a.png")["image"]
    assert loaded.dtype == torch.uint8
    assert np.array_equal(loaded.permute(1, 2, 0).numpy(), expected)


def test_gray_jpeg_becomes_rgb(tmp_path):
    assert _load(_save(tmp_path / "a.jpg", _smooth()[..., 0]))["image"].shape == (3, HEIGHT, WIDTH)


def test_exif_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be rotated by 90 degrees clockwise
    pixels = _smooth()
    image = _load(_save(tmp_path / "a.jpg", pixels, quality=95, exif=exif))["image"]
    turned = np.rot90(pixels, -1)
    assert image.shape == (3, WIDTH, HEIGHT)
    assert np.abs(image.permute(1, 2, 0).numpy().astype(int) - turned).mean() < 4


def test_image_of_one_pixel_is_read(tmp_path):
    path = _save(tmp_path / "a.png", np.array([[[1, 2, 3]]], np.uint8))
    assert _load(path)["image"].flatten().tolist() == [1, 2, 3]


def test_error_names_the_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"sample 5_9, image .*gone\.jpg: the file"):
        _load(tmp_path / "gone.jpg")


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_error_names_the_truncated_jpeg(tmp_path, share, progressive):
    path = _save(tmp_path / "a.jpg", _smooth(), progressive=progressive)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ValueError, match=r"sample 5_9, image .*a\.jpg: the file (is truncated|\()"):
        _load(path)


def test_jpeg_with_complete_thumbnail_and_half_an_image_is_truncated(tmp_path):
    thumbnail = io.BytesIO()
    Image.fromarray(_smooth(8, 8)).save(thumbnail, "JPEG")
    path = _save(tmp_path / "a.jpg", _smooth(), exif=b"Exif\x00\x00" + thumbnail.getvalue())
    _load(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - 60])
    with pytest.raises(ValueError, match="the file is truncated"):
        _load(path)


def test_jpeg_with_bytes_after_its_end_is_read(tmp_path):
    path = _save(tmp_path / "a.jpg", _smooth())
    path.write_bytes(path.read_bytes() + b"appended by a camera")
    assert _load(path)["ori_shape"] == (HEIGHT, WIDTH)


def test_error_names_the_truncated_png(tmp_path):
    path = _save(tmp_path / "a.png", _smooth())
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match=r"a\.png: the file is truncated"):
        _load(path)


def test_error_names_the_file_that_is_not_an_image(tmp_path):
    (tmp_path / "a.jpg").write_text("<html>404</html>")
    with pytest.raises(ValueError, match=r"a\.jpg: the file is not an image: it contains text"):
        _load(tmp_path / "a.jpg")


def test_image_of_another_size_than_annotated_raises(tmp_path):
    path = _save(tmp_path / "a.png", _smooth())
    with pytest.raises(ValueError, match=r"must be 480 x 640 .*, got 30 x 40 after"):
        _load(path, height=480, width=640)


def test_array_needs_no_file():
    pixels = _smooth()
    results = LoadImage()({"image": pixels})
    assert np.array_equal(results["image"].permute(1, 2, 0).numpy(), pixels)


# --- targets --------------------------------------------------------------------------------------

SQUARE = [[10, 5, 20, 5, 20, 15, 10, 15]]


def _target(bbox=(10, 5, 10, 10), segmentation=SQUARE, ann_id=7):
    return {"bbox": bbox, "segmentation": segmentation, "ann_id": ann_id}


def _read(*targets, **kwargs):
    record = {
        "sample_id": "5_9",
        "img_path": "dir/a.jpg",
        "ori_shape": (HEIGHT, WIDTH),
        "targets": list(targets),
    }
    return LoadTargets(**kwargs)(record)


def _square_mask():
    mask = torch.zeros(1, HEIGHT, WIDTH, dtype=torch.bool)
    mask[0, 5:15, 10:20] = True
    return mask


def test_polygon_and_box_are_read():
    results = _read(_target())
    assert results["boxes"].tolist() == [[10, 5, 20, 15]]
    assert results["boxes"].canvas_size == (HEIGHT, WIDTH)
    assert torch.equal(results["masks"].as_subclass(torch.Tensor), _square_mask())
    assert results["boxes_ori"].tolist() == [[10, 5, 20, 15]]
    assert torch.equal(decode_masks(results["rles_ori"]), _square_mask())


def test_compressed_and_plain_run_lengths_are_read():
    compressed = encode_masks(_square_mask())[0]
    runs = np.flatnonzero(np.diff(np.r_[0, _square_mask()[0].T.flatten().numpy(), 0]))
    counts = np.diff(np.r_[0, runs, HEIGHT * WIDTH]).tolist()
    results = _read(
        _target(segmentation=compressed),
        _target(segmentation={"size": [HEIGHT, WIDTH], "counts": counts}),
    )
    assert torch.equal(results["masks"].as_subclass(torch.Tensor), _square_mask().repeat(2, 1, 1))


def test_several_polygons_form_one_mask():
    parts = [[0, 0, 4, 0, 4, 4, 0, 4], [30, 20, 34, 20, 34, 24, 30, 24]]
    masks = _read(_target(segmentation=parts))["masks"]
    assert masks.shape == (1, HEIGHT, WIDTH)
    assert masks.sum() == 32


def test_no_target_gives_zero_rows():
    results = _read()
    assert results["boxes"].shape == (0, 4)
    assert results["masks"].shape == (0, HEIGHT, WIDTH)
    assert results["masks"].dtype == torch.bool
    assert results["rles_ori"] == []


def test_keep_original_false_drops_the_original_frame():
    results = _read(_target(), keep_original=False)
    assert "boxes_ori" not in results
    assert "rles_ori" not in results


def test_record_without_targets_has_no_ground_truth():
    assert LoadTargets()({"ori_shape": (2, 2)}) == {"ori_shape": (2, 2)}


@pytest.mark.parametrize(
    ("bbox", "clipped"),
    [
        ((-0.5, -2, 10, 10), [0, 0, 9.5, 8]),
        ((35, 25, 5.25, 8), [35, 25, 40, 30]),
        ((0, 0, 40, 30), [0, 0, 40, 30]),
    ],
)
def test_boxes_slightly_beyond_the_border_are_clipped(bbox, clipped):
    assert _read(_target(bbox=bbox))["boxes"].tolist() == [clipped]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (_target(bbox=(100, 5, 10, 10)), "inside the image of width 40 and height 30"),
        (_target(bbox=(30, 20, 30, 10)), "inside the image of width 40 and height 30"),
        (_target(bbox=(-5, 5, 4, 4)), "inside the image"),
        (_target(bbox=(40, 5, 4, 4)), "inside the image"),
        (_target(bbox=(5, 5, 0, 4)), "the latter two positive"),
        (_target(bbox=(5, 5, -3, 4)), "the latter two positive"),
        (_target(bbox=(float("nan"), 5, 3, 4)), "the latter two positive"),
        (_target(bbox=(5, 5, 3)), "a box must be 4 numbers.*got .5, 5, 3.$"),
        (_target(bbox=None), "NoneType"),
        (
            _target(segmentation=[[1, 2, 3, 4]]),
            "must have at least 3 points .* got 4 numbers",
        ),
        (_target(segmentation=[[1, 2, 3, 4, 5, 6, 7]]), "got 7 numbers"),
        (
            _target(segmentation={"size": [60, 80], "counts": "abc"}),
            "of its image, 30 x 40, got 60 x 80",
        ),
    ],
)
def test_error_for_broken_target_names_sample_file_and_annotation(target, message):
    with pytest.raises(
        ValueError, match=rf"sample 5_9, image dir/a\.jpg, annotation 7: .*{message}"
    ):
        _read(_target(ann_id=6), target)


def test_boxes_are_truncated_as_published():
    results = _read(_target(bbox=[10.9, 5.2, 9.9, 9.8]), truncate_boxes=True)
    assert results["boxes"].tolist() == [[10, 5, 19, 14]]
    assert results["boxes_ori"].tolist() == [[10, 5, 19, 14]]
    # Toward zero, also if the annotation begins outside the image.
    assert _read(_target(bbox=[-0.9, 5, 9, 9]), truncate_boxes=True)["boxes"].tolist() == [
        [0, 5, 9, 14]
    ]


def test_masks_remain_run_lengths_until_pixels_are_needed():
    lazy, dense = _read(_target(), _target(), dense=False), _read(_target(), _target())
    assert "masks" not in lazy
    lazy["image"] = torch.zeros(3, HEIGHT, WIDTH)
    decode_targets(lazy)
    assert torch.equal(lazy["masks"], dense["masks"])
    assert "rles" not in lazy


def test_boxes_are_read_without_masks():
    results = _read(_target(segmentation=None), with_masks=False)
    assert results["boxes"].tolist() == [[10, 5, 20, 15]]
    assert not {"masks", "rles", "rles_ori"} & set(results)


def test_error_for_target_without_mask_suggests_with_masks():
    with pytest.raises(ValueError, match=r"annotation 7: a target must have a mask.*with_masks"):
        _read(_target(segmentation=None))


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("progressive", [False, True])
@given(tail=st.binary(min_size=1, max_size=40))
@settings(max_examples=20)
def test_bytes_after_the_end_of_the_image_do_not_matter(
    tmp_path_factory, suffix, progressive, tail
):
    """A motion photo is a JPEG followed by a video, which may contain the bytes of any marker."""
    path = tmp_path_factory.mktemp("motion") / f"photo{suffix}"
    options = {"progressive": True} if progressive and suffix == ".jpg" else {}
    Image.new("RGB", (24, 16), (200, 30, 60)).save(path, **options)
    whole = LoadImage()({"img_path": str(path)})["image"]
    for end in (tail, b"\xff\xda" + tail, b"IDAT" + tail):
        path.write_bytes(path.read_bytes() + end)
        assert torch.equal(LoadImage()({"img_path": str(path)})["image"], whole)


def test_error_names_an_image_whose_decoder_raises(tmp_path):
    path = tmp_path / "a.bmp"
    Image.new("RGB", (8, 8)).save(path)
    data = bytearray(path.read_bytes())
    data[18:22] = (2**31 - 1).to_bytes(4, "little")  # width
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.bmp: the file .* is broken"):
        LoadImage()({"img_path": str(path)})
