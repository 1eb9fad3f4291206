"""Tiny annotation files in the official formats, written on the fly."""

import io
import json
import pickle

import cv2
import numpy as np
import pytest
import sentencepiece

from vgtoolbox.datasets import BEiT3Tokenizer

WORDS = "the a red green blue left right large small circle square of to and two dogs next behind"
HEIGHT, WIDTH = 48, 64


def rectangle(x, y, width, height):
    """A target as annotations hold it: a box and the polygon of its corners."""
    polygon = [x, y, x + width, y, x + width, y + height, x, y + height]
    return {"bbox": [x, y, width, height], "segmentation": [polygon]}


RECTANGLES = {
    11: rectangle(4, 6, 20, 10),
    12: rectangle(40, 20, 16, 24),
    13: rectangle(30, 2, 8, 8),
    21: rectangle(10, 10, 30, 30),
}
IMAGE_OF = {11: 1, 12: 1, 13: 1, 21: 2}


def _ref(ref_id, ann_id, image_id, split, *sentences):
    return {
        "ref_id": ref_id,
        "ann_id": ann_id,
        "image_id": image_id,
        "split": split,
        "category_id": 1,
        # As published, this is no image's name.
        "file_name": f"COCO_train2014_{image_id:012d}_{ref_id}.jpg",
        "sent_ids": [10 * ref_id + i for i in range(len(sentences))],
        "sentences": [
            {"sent_id": 10 * ref_id + i, "sent": s.lower(), "raw": s, "tokens": s.lower().split()}
            for i, s in enumerate(sentences)
        ],
    }


REFS = [
    _ref(1, 11, 1, "train", "The red circle, left.", "red circle on the LEFT", "left red"),
    _ref(2, 12, 1, "train", "blue square to the right"),
    _ref(3, 21, 2, "testA", "the large square", "large"),
]
GREFS = [
    _ref(1, [11], 1, "train", "The red circle, left.", "red circle on the LEFT"),
    _ref(2, [11, 12, 13], 1, "train", "the circle and two squares"),
    _ref(3, [-1], 1, "train", "two green dogs"),
    _ref(4, [21], 2, "val", "the large square"),
]
REFZOM = [
    # The ids of a "zero" ref do not count.
    {**_ref(1, [11], 1, "test", "two green dogs"), "source": "zero"},
    {**_ref(2, [12], 1, "test", "The blue square."), "source": "one"},
    {**_ref(3, [11, 12], 1, "test", "circle and square", "both left"), "source": "many"},
    {**_ref(4, [21], 2, "train", "the large square"), "source": "one"},
]


def with_keys(ref, *keys):
    """The ref with further keys in its sentences."""
    sentences = zip(ref["sentences"], keys, strict=True)
    return {**ref, "sentences": [{**sentence, **more} for sentence, more in sentences]}


RREFS = [
    with_keys(
        _ref(1, 11, 1, "val", "the red circle", "the green dog", "left red"),
        *({"exist": exists} for exists in (True, False, True)),
    ),
    with_keys(_ref(2, 12, 1, "val", "two dogs", "blue square"), {"exist": False}, {"exist": True}),
]
FPREFS = [
    with_keys(
        _ref(1, 11, 1, "val", "the red circle", "the green circle"),
        {"is_false_premise": False},
        {"is_false_premise": True, "gt_sent": "the red circle"},
    )
]
REFS_FILES = {
    "refcoco/refs(unc).p": REFS,
    "refzom/refs(final).p": REFZOM,
    "rrefcoco/refs(unc).p": RREFS,
    "fprefcoco/refs(berkeley_exclude_unified).p": FPREFS,
}


@pytest.fixture
def official_tree(tmp_path):
    """The folder tree of the official annotations, two images wide."""
    rng = np.random.default_rng(0)
    images = []
    (tmp_path / "images").mkdir()
    for image_id in (1, 2):
        name = f"COCO_train2014_{image_id:012d}.jpg"
        pixels = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        assert cv2.imwrite(str(tmp_path / "images" / name), pixels)
        images.append({"id": image_id, "file_name": name, "height": HEIGHT, "width": WIDTH})
    annotations = [
        {"id": ann_id, "image_id": IMAGE_OF[ann_id], "category_id": 1, "iscrowd": 0, **target}
        for ann_id, target in RECTANGLES.items()
    ]
    instances = json.dumps({"images": images, "annotations": annotations, "categories": []})
    (tmp_path / "grefcoco").mkdir()
    (tmp_path / "grefcoco" / "instances.json").write_text(instances)
    for name, refs in REFS_FILES.items():
        file = tmp_path / name
        file.parent.mkdir()
        # The published refs are pickles of Python 2's protocol.
        file.write_bytes(pickle.dumps(refs, protocol=2))
        file.with_name("instances.json").write_text(instances)
    (tmp_path / "grefcoco" / "grefs(unc).json").write_text(json.dumps(GREFS))
    return tmp_path


@pytest.fixture(scope="session")
def tokenizer_file(tmp_path_factory):
    """A sentencepiece model of a few words and all their letters."""
    model = io.BytesIO()
    sentences = [" ".join(WORDS.split()[i : i + 6]) for i in range(12)] * 20
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_writer=model,
        vocab_size=64,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.spm"
    path.write_bytes(model.getvalue())
    return path


@pytest.fixture(scope="session")
def tokenizer(tokenizer_file):
    return BEiT3Tokenizer(tokenizer_file)


@pytest.fixture
def pipeline(tokenizer):
    """The steps of a test pipeline, by name."""
    return {
        "load": {"type": "LoadImage"},
        "targets": {"type": "LoadTargets"},
        "choose": {"type": "ChooseExpression"},
        "clean": {"type": "CleanExpression"},
        "resize": {"type": "Resize", "size": 32},
        "tokenize": {"type": "TokenizeExpression", "tokenizer": tokenizer, "max_tokens": 16},
        "pack": {"type": "PackGroundingInputs"},
    }
