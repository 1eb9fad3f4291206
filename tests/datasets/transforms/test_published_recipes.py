"""Pixels of the published recipes, written here with Pillow, OpenCV and torch called directly."""

import io

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import Compose
from PIL import Image, ImageEnhance, ImageFilter
from torch.nn import functional as F

from vgtoolbox.datasets.transforms import ColorJitter, GaussianBlur, LoadImage, RandomJPEG
from vgtoolbox.registry import TRANSFORMS
from vgtoolbox.structures import decode_masks, segmentation_to_rle

POLYGON = [20.3, 11.7, 61.9, 15.2, 70.1, 48.8, 33.3, 55.5, 12.2, 40.1]
BOX_XYWH = [12.2, 11.7, 57.9, 43.8]


def _random_image(height, width, seed=0):
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    fine = np.random.default_rng(seed).integers(0, 40, (height, width, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) // 2 + fine


def _run(pixels, *steps, **record):
    sample = {"image": pixels.copy(), "rng": np.random.default_rng(0), **record}
    return Compose([TRANSFORMS.build({"type": name, **kwargs}) for name, kwargs in steps])(sample)


def _array(results):
    return results["image"].permute(1, 2, 0).numpy()


TARGETS = [{"bbox": BOX_XYWH, "segmentation": [POLYGON], "ann_id": 1}]


@pytest.mark.parametrize("size", [(72, 90), (90, 72), (80, 80), (61, 97)])
def test_plvl_pipeline_equals_pillow_and_torch(size):
    """PLVL, section 2.4: the long side to 448 by Pillow, then a stretch to 448 x 448 by torch."""
    pixels = _random_image(*size)
    ours = _run(
        pixels,
        ("LoadImage", {}),
        ("LoadTargets", {"truncate_boxes": True}),
        ("ResizeSide", {"size": 448, "backend": "pil"}),
        ("Resize", {"size": 448, "backend": "align_corners"}),
        targets=TARGETS,
    )
    ratio = 448 / max(size)
    once = round(size[1] * ratio), round(size[0] * ratio)
    picture = Image.fromarray(pixels).resize(once, Image.BILINEAR)
    tensor = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255
    expected = F.interpolate(tensor, size=(448, 448), mode="bilinear", align_corners=True)[0]
    assert ours["image"].dtype == torch.float32
    torch.testing.assert_close(ours["image"].as_subclass(torch.Tensor) / 255, expected)

    mask = decode_masks([segmentation_to_rle([POLYGON], size)])[0].numpy().astype(np.uint8)
    small = np.array(Image.fromarray(mask).resize(once, Image.BILINEAR))
    small = (torch.from_numpy(small).float() / 255 > 0.001).float()
    stretched = F.interpolate(small[None, None], size=(448, 448), mode="nearest")[0]
    assert torch.equal(ours["masks"].as_subclass(torch.Tensor), stretched.bool())

    scale = torch.tensor([448 / size[1], 448 / size[0]] * 2)
    corners = torch.tensor([12.0, 11.0, 69.0, 54.0])
    torch.testing.assert_close(ours["boxes"].as_subclass(torch.Tensor)[0], corners * scale)
    assert ours["boxes_ori"].tolist() == [[12, 11, 69, 54]]
    assert ours["scale_factor"] == pytest.approx((448 / size[1], 448 / size[0]))


def test_instancevg_pipeline_equals_opencv():
    """InstanceVG, section 3.3: a stretch to 320 x 320 by OpenCV, masks by nearest neighbor."""
    pixels = _random_image(72, 90)
    ours = _run(
        pixels,
        ("LoadImage", {}),
        ("LoadTargets", {}),
        ("Resize", {"size": 320}),
        targets=TARGETS,
    )
    assert np.array_equal(_array(ours), cv2.resize(pixels, (320, 320)))
    mask = decode_masks([segmentation_to_rle([POLYGON], (72, 90))])[0].numpy().astype(np.uint8)
    expected = cv2.resize(mask, (320, 320), interpolation=cv2.INTER_NEAREST)
    assert np.array_equal(ours["masks"][0].numpy(), expected > 0)


@pytest.mark.parametrize("size", [(48, 64), (64, 48), (43, 61), (33, 33)])
def test_segment_anything_pipeline_equals_pillow(size):
    """The image of UGround's and SegLLM's mask decoders: the long side by Pillow, then padding."""
    pixels = _random_image(*size)
    ours = _run(
        pixels,
        ("LoadImage", {}),
        ("ResizeSide", {"size": 100, "backend": "pil", "rounding": "half_up"}),
        ("Pad", {"size": 100}),
    )
    scale = 100 / max(size)
    height, width = (int(side * scale + 0.5) for side in size)
    expected = np.zeros((100, 100, 3), np.uint8)
    expected[:height, :width] = Image.fromarray(pixels).resize((width, height), Image.BILINEAR)
    assert np.array_equal(_array(ours), expected)
    assert ours["img_shape"] == (height, width)


def test_internvl_square_equals_pillow():
    """MLLMSeg, section 0: one view of 448 x 448, squashed by Pillow's bicubic filter."""
    pixels = _random_image(60, 80)
    ours = _run(
        pixels,
        ("LoadImage", {}),
        ("Resize", {"size": 448, "backend": "pil", "interpolation": "bicubic"}),
    )
    assert np.array_equal(_array(ours), Image.fromarray(pixels).resize((448, 448), Image.BICUBIC))


@pytest.mark.parametrize("size", [(48, 64), (64, 48), (51, 97), (40, 40)])
def test_clip_square_equals_pillow(size):
    """SegLLM's image of the language model: CLIP's short side and middle."""
    pixels = _random_image(*size)
    ours = _run(
        pixels,
        ("LoadImage", {}),
        (
            "ResizeSide",
            {
                "size": 224,
                "side": "short",
                "backend": "pil",
                "interpolation": "bicubic",
                "rounding": "down",
            },
        ),
        ("CenterCrop", {"size": 224}),
    )
    short, long = min(size), max(size)
    other = int(224 * long / short)
    height, width = (224, other) if size[0] <= size[1] else (other, 224)
    resized = np.array(Image.fromarray(pixels).resize((width, height), Image.BICUBIC))
    top, left = (height - 224) // 2, (width - 224) // 2
    assert np.array_equal(_array(ours), resized[top : top + 224, left : left + 224])


@pytest.mark.parametrize(
    ("name", "enhancer"),
    [
        ("brightness", ImageEnhance.Brightness),
        ("contrast", ImageEnhance.Contrast),
        ("saturation", ImageEnhance.Color),
    ],
)
def test_color_jitter_equals_pillow(name, enhancer):
    pixels = _random_image(30, 40)
    rng = np.random.default_rng(5)
    jitter = ColorJitter(backend="pil", **{name: 0.4})
    ours = jitter(LoadImage()({"image": pixels.copy(), "rng": np.random.default_rng(5)}))
    rng.permutation([name])
    factor = float(rng.uniform(0.6, 1.4))
    assert np.array_equal(_array(ours), enhancer(Image.fromarray(pixels)).enhance(factor))


def test_blur_equals_pillow():
    pixels = _random_image(30, 40)
    blur = GaussianBlur((0.1, 2.0), backend="pil")
    ours = blur(LoadImage()({"image": pixels.copy(), "rng": np.random.default_rng(5)}))
    sigma = np.random.default_rng(5).uniform(0.1, 2.0)
    expected = Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(sigma))
    assert np.array_equal(_array(ours), expected)


def test_recompression_equals_pillow():
    pixels = _random_image(30, 40)
    jpeg = RandomJPEG((80, 80))
    ours = jpeg(LoadImage()({"image": pixels.copy(), "rng": np.random.default_rng(5)}))
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=80)
    assert np.array_equal(_array(ours), Image.open(stream))
    assert not np.array_equal(_array(ours), pixels)
