import pytest

from vgtoolbox.shapes.formats.corner_cases import (
    uncompressed_rle,
    vary_sentences,
    vary_spelling,
)
from vgtoolbox.structures import rle_areas, rle_iou, segmentation_to_rle


def test_sentences_in_capitals_typographic_and_repeated():
    said = [
        {"raw": f"the red disc {i}", "sent": f"the red disc {i}", "sent_id": -1} for i in range(40)
    ]
    odd = vary_sentences(said, first_id=0)
    assert [s["sent_id"] for s in odd] == list(range(len(odd)))
    assert len(odd) > len(said)
    assert [s["sent"] for s in odd if s["raw"].isupper()]
    assert any(not s["raw"].isascii() for s in odd)
    assert {s["sent"] for s in odd} == {s["sent"] for s in said}


@pytest.mark.parametrize("number", range(70))
def test_spelling_keeps_the_words(number):
    typographic = str.maketrans({"\u201c": "", "\u201d": "", "\u2026": "", "\u00a0": " "})
    assert vary_spelling("the red disc", number).translate(typographic).lower() == "the red disc"


def test_all_forms_of_masks_decode_to_the_same_mask(world):
    annotations = world.varied_instances()["annotations"]
    forms = {
        "polygons": [a for a in annotations if isinstance(a["segmentation"], list)],
        "compressed": [a for a in annotations if _has_counts(a, str)],
        "crowds": [a for a in annotations if _has_counts(a, list)],
    }
    assert all(forms.values())
    assert {a["id"] for a in forms["crowds"]} == {a["id"] for a in annotations if a["iscrowd"]}
    for odd in annotations:
        size = world.size(odd["image_id"])
        plain = world.annotations[odd["id"]]["segmentation"]
        a, b = (segmentation_to_rle(s, size) for s in (plain, odd["segmentation"]))
        assert rle_iou([a], [b])[0, 0] == 1.0


def test_uncompressed_runs_have_the_area_of_the_mask(world):
    annotation = next(iter(world.annotations.values()))
    size = world.size(annotation["image_id"])
    runs = uncompressed_rle(annotation["segmentation"], size)["counts"]
    assert sum(runs) == size[0] * size[1]
    rle = segmentation_to_rle(annotation["segmentation"], size)
    assert sum(runs[1::2]) == rle_areas([rle])[0]


def test_mask_with_the_first_pixel_begins_with_an_empty_run(world):
    annotation = next(iter(world.annotations.values()))
    height, width = world.size(annotation["image_id"])
    whole = [[0, 0, width, 0, width, height, 0, height]]
    assert uncompressed_rle(whole, (height, width))["counts"] == [
        0,
        height * width,
    ]


def _has_counts(annotation, kind):
    segmentation = annotation["segmentation"]
    return isinstance(segmentation, dict) and isinstance(segmentation["counts"], kind)
