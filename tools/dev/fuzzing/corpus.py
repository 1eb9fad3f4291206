"""Write the valid files of the corpus: small ones in every format that the readers accept."""

from __future__ import annotations

import base64
import io
import json
import pickle
from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors.torch
import torch
from PIL import Image

from fuzzing.annotation_targets import HEIGHT, IMAGE, INSTANCES, WIDTH
from fuzzing.campaign import CORPUS
from fuzzing.checkpoint_targets import RELEASED, tiny_model
from vgtoolbox.checkpoint import load_checkpoint
from vgtoolbox.checkpoint.config_text import write_config_text
from vgtoolbox.structures import segmentation_to_rle

_SQUARE: Any = [[2.0, 2.0, 12.0, 2.0, 12.0, 12.0, 2.0, 12.0]]
_RLE: Any = {"size": [HEIGHT, WIDTH], "counts": [100, 10, 38, 10, HEIGHT * WIDTH - 158]}
_CONFIG: Any = {
    "model": {"type": "InstanceVG", "channels": 16, "backbone": {"type": "BEiT3", "depth": 1}},
    "test_splits": {"val": {"dataset": {"pipeline": [{"type": "LoadImage"}]}}},
    "tokenizer": {"type": "BEiT3Tokenizer", "model_file": "data/tokenizer.spm"},
    "optim_wrapper": {"optimizer": {"type": "AdamW", "lr": 1e-4, "betas": (0.9, 0.98)}},
}
_METAFILE = """\
system: PLVL
page: https://example.org/plvl
models:
  - name: plvl-refcoco
    config: configs/plvl.py
    weights: pretrain_weights/plvl.pth
    published_as: plvl.pth
    parameters: 1000
    options: {model.score_thr: 0.5}
    results:
      - {data: RefCOCO, metric: accuracy, paper: {val: 88.1, testA: 90}, ours: {val: 88.0}}
"""


def write_corpus() -> None:
    """Write all valid files; findings that are part of the corpus are kept."""
    contents = {**_annotations(), **_predictions(), **_checkpoints(), **_texts(), **_images()}
    for name, files in contents.items():
        folder = CORPUS / name
        folder.mkdir(parents=True, exist_ok=True)
        for number, content in enumerate(files, start=1):
            (folder / f"valid-{number}").write_bytes(content)


def _json(content: Any) -> bytes:
    return json.dumps(content).encode()


def _lines(*contents: Any) -> bytes:
    return b"\n".join(map(_json, contents)) + b"\n"


def _ref(ref_id: int, ann_id: Any, sentence: Mapping[str, Any] = {}, **keys: Any) -> dict[str, Any]:
    said = {"sent_id": ref_id, "sent": "left square", "raw": "The left square.", **sentence}
    ref = {"ref_id": ref_id, "ann_id": ann_id, "image_id": 1, "split": "val", "sentences": [said]}
    return {**ref, "category_id": 1, "file_name": IMAGE, "sent_ids": [ref_id], **keys}


def _annotations() -> dict[str, list[bytes]]:
    refs = {
        "refcoco-refs": [_ref(1, 11), _ref(2, 12)],
        "refzom": [_ref(1, [11], source="one"), _ref(2, [], source="zero")],
        "rrefcoco": [_ref(1, 11, {"exist": True}), _ref(2, 12, {"exist": False})],
        "fprefcoco": [
            _ref(1, 11, {"is_false_premise": False}),
            _ref(2, 12, {"is_false_premise": True, "gt_sent": "the square"}),
        ],
    }
    pickles = {
        name: [pickle.dumps(content, protocol) for protocol in (0, 2, 4)]
        for name, content in refs.items()
    }
    masked = {**INSTANCES["annotations"][0], "segmentation": _RLE}
    instances = {**INSTANCES, "annotations": [masked, INSTANCES["annotations"][1]]}
    groups = [
        {"image_id": 1, "annotation_ids": [11, 12], "expressions": ["the squares"]},
        {"image_id": 1, "annotation_ids": [], "expressions": ["a dog"]},
    ]
    named = [{**each, "expressions": ["the square"]} for each in INSTANCES["annotations"]]
    compressed = segmentation_to_rle(_SQUARE, (HEIGHT, WIDTH))
    return {
        **pickles,
        "refcoco-instances": [_json(INSTANCES), _json(instances)],
        "grefcoco": [_json([_ref(1, [11]), _ref(2, [-1]), _ref(3, [11, 12])])],
        **_instancevg(),
        "eevg-list": _lists(),
        "coco-expressions": [
            _json({**INSTANCES, "annotation_groups": groups}),
            _json({**INSTANCES, "annotations": named}),
        ],
        "json-lines": [
            _lines(
                _line(boxes=[2, 2, 12, 12], expression="the square"),
                _line(masks=[_SQUARE], expression=["a", "b"]),
                _line(masks=[compressed], boxes=[[2, 2, 12, 12]], split="val", id="x"),
                _line(boxes=None),
            )
        ],
        **_reasonseg(),
        **_segllm(compressed),
    }


def _line(**keys: Any) -> dict[str, Any]:
    return {"image": IMAGE, "expression": "it", "height": HEIGHT, "width": WIDTH, **keys}


def _instancevg() -> dict[str, list[bytes]]:
    item = {"image_id": 1, "width": WIDTH, "height": HEIGHT, "expressions": {"raw": "the square"}}
    target = {"bbox": [2, 2, 10, 10], "segmentation": _SQUARE}
    several = {**item, "annotations": [target, {"bbox": None}], "file_name": IMAGE}
    single = {**item, "bbox": [2, 2, 10, 10], "mask": _SQUARE, "expressions": ["a", "b"]}
    return {
        "instancevg": [_json({"val": [several, single]}), _json({"val": [[several, several]]})],
        "instancevg-index": [_json({"val": [[0, 1], [1, 3]]})],
    }


def _lists() -> list[bytes]:
    rows = [(IMAGE, "coco", [2, 2, 10, 10, *_SQUARE], text, "") for text in ("a square", "it")]
    files = []
    for is_zip in (True, False):
        file = io.BytesIO()
        torch.save(rows, file, _use_new_zipfile_serialization=is_zip)
        files.append(file.getvalue())
    return [*files, pickle.dumps([row[:1] + row[2:4] for row in rows], 2)]


def _reasonseg() -> dict[str, list[bytes]]:
    points = [[2, 2], [12, 2], [12.5, 12]]
    shapes = [
        {"label": "target", "points": points, "shape_type": "polygon"},
        {"label": "ignore", "points": [[20, 20], [30, 20], [30, 30]]},
    ]
    content: dict[str, Any] = {
        "shapes": shapes,
        "text": ["what is it?", "where?"],
        "is_sentence": True,
    }
    content["false_premise_QA"] = [["is it a dog?", True, "It is a square."]]
    explanation = {"image": "one.jpg", "query": "what is it?", "outputs": "A square."}
    return {"reasonseg": [_json(content)], "reasonseg-explanations": [_json([explanation])]}


def _segllm(compressed: Any) -> dict[str, list[bytes]]:
    turns = [
        {"from": "human", "value": f"[IMAGE256:{IMAGE}] Segment it."},
        {"from": "gpt", "value": f"[MASK-DECODE:none:none:11:{IMAGE}:refcoco]."},
        {"from": "human", "value": f"The one left of [MASK-ENCODE:{IMAGE}|refcoco|11]?", "ind": 1},
        {"from": "gpt", "value": f"[MASK-DECODE:{IMAGE}|refcoco|12]."},
    ]
    return {
        "segllm": [_json([{"conv_id": "c", "conversations": turns}])],
        "segllm-masks": [_json({"11": compressed, "12": {"segmentation": _RLE}}), _json(INSTANCES)],
    }


def _predictions() -> dict[str, list[bytes]]:
    mask = segmentation_to_rle(_SQUARE, (HEIGHT, WIDTH))
    empty = segmentation_to_rle([], (HEIGHT, WIDTH))
    common = {"image": IMAGE, "size": [HEIGHT, WIDTH], "text": None}
    found: dict[str, Any] = {"id": "0", "expression": "the square", "boxes_xyxy": [[2, 2, 12, 12]]}
    found |= {"scores": [0.9], "masks": [mask], "merged_mask": mask, "no_target": False}
    nothing: dict[str, Any] = {
        "id": "1",
        "expression": "the square",
        "boxes_xyxy": [],
        "scores": [],
        "masks": [],
    }
    nothing |= {"merged_mask": empty, "no_target": True}
    boxes = {**found, "masks": [], "merged_mask": None}
    detections: Any = [
        {
            "image_id": 0,
            "category_id": 1,
            "bbox": [2, 2, 10, 10],
            "score": 0.9,
            "segmentation": mask,
        },
        {"image_id": 1, "category_id": 1, "bbox": [3, 3, 8, 8], "score": 0.1, "segmentation": _RLE},
    ]
    ranked = [
        {"refexp_id": n, "annotation_id": 11, "predicted_bounding_boxes": [[2, 2, 10, 10]]}
        for n in (0, 1)
    ]
    lines = _lines({**common, **found, "existence": 0.9}, {**common, **nothing, "existence": 0.1})
    other = _lines(*({**common, **boxes, "id": i, "existence": 1} for i in ("0", "1")))
    return {
        "predictions-jsonl": [lines, other],
        "predictions-coco": [
            _json(detections),
            _json([{k: v for k, v in d.items() if k != "segmentation"} for d in detections]),
        ],
        "predictions-refexp": [_json(ranked)],
        "geometry": [_json([_SQUARE, _RLE, dict(mask), []])],
    }


def _torch(content: Any, *, is_zip: bool) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=is_zip)
    return file.getvalue()


def _checkpoints() -> dict[str, list[bytes]]:
    torch.manual_seed(0)
    state = dict(tiny_model().state_dict())
    text = write_config_text(_CONFIG)
    packed = json.dumps({"data/tokenizer.spm": base64.b64encode(b"pieces").decode()})
    whole = {"state_dict": state, "config": text, "meta": {"epoch": 1}, "optimizer": {"lr": 0.1}}
    half = {key: value.half() for key, value in state.items()}
    arrays: dict[str, Any] = {
        "model": {key: value.numpy() for key, value in state.items()},
        "epoch": 1,
    }
    arrays["score"] = np.float64(0.5)
    metadata = {"format": "pt", "config": text, "files": packed, "vgtoolbox_version": "1.0"}
    index = {"metadata": {"total_size": 1}, "weight_map": _weight_map(state)}
    return {
        "pth": [_torch(whole, is_zip=True), _torch(state, is_zip=True)],
        "pth-legacy": [_torch(whole, is_zip=False), _torch({"model": half}, is_zip=False)],
        "bin": [_torch(state, is_zip=True), _torch(half, is_zip=False)],
        "safetensors": [
            safetensors.torch.save(state, metadata),
            safetensors.torch.save(half, {"format": "pt"}),
        ],
        "pkl": [pickle.dumps(arrays, protocol) for protocol in (2, 4)],
        "folder-index": [_json(index)],
        "folder-config": [_json({"architectures": ["A"], "hidden_size": 8, "llm_config": {}})],
        "config-text": [text.encode(), b"model = dict(type='InstanceVG', depth=-1, a=(1, 2.5))\n"],
        "released-config": [load_checkpoint(RELEASED)["config"].encode()],
        "embedded-files": [packed.encode()],
        "metafile": [_METAFILE.encode()],
    }


def _weight_map(state: Mapping[str, Any]) -> dict[str, str]:
    return {key: f"model-{1 if 'first' in key else 2}.safetensors" for key in state}


def _texts() -> dict[str, list[bytes]]:
    expressions = [
        *("the red circle", "left of the dog, on the right-hand side", "LEFT Lefty rightmost"),
        *(
            "zwei Hunde links",
            "leftest one behind the right dog",
            "日本語 left",
            "a\u0301b",
            "leftlady",
        ),
    ]
    names = [IMAGE, "val", "*.jpg", "val/one.jpg", "COCO_train2014_*1.jpg"]
    return {
        "expressions": [_json(expressions)],
        "image-names": [_json(names)],
        "added-tokens": [_json({"<seg>": 600, "</box>": 601})],
        "spm-tokenizer": [_pieces()],
    }


def _pieces() -> bytes:
    """Return a sentencepiece model of a few pieces."""
    import sentencepiece

    model = io.BytesIO()
    sentences = ["the red circle", "a large blue square left of two dogs"] * 10
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_writer=model,
        vocab_size=40,
        normalization_rule_name="identity",
        hard_vocab_limit=False,
        num_threads=1,
        minloglevel=2,
    )
    return model.getvalue()


def _images() -> dict[str, list[bytes]]:
    rng = np.random.default_rng(0)
    ramp = np.add.outer(np.arange(16), np.arange(24)) * 6
    pixels = (ramp[..., None] + rng.integers(0, 20, (16, 24, 3))).astype(np.uint8)
    color = Image.fromarray(pixels)
    gray, palette = color.convert("L"), color.quantize(16)
    wide = Image.fromarray(ramp.astype(np.uint16) * 200)
    alpha = color.convert("RGBA")
    turned = Image.Exif()
    turned[0x0112] = 6
    many: dict[str, Any] = {"save_all": True, "append_images": [color, color]}
    return {
        "jpeg": [
            _image(color, "JPEG", exif=turned),
            _image(gray, "JPEG", progressive=True),
            _image(color.convert("CMYK"), "JPEG"),
            _image(color, "MPO", **many),
        ],
        "png": [
            _image(alpha, "PNG"),
            _image(palette, "PNG"),
            _image(wide, "PNG"),
            _image(color, "PNG", **many),
        ],
        "webp": [
            _image(color, "WEBP"),
            _image(alpha, "WEBP", lossless=True),
            _image(color, "WEBP", **many),
        ],
        "bmp": [_image(color, "BMP"), _image(palette, "BMP")],
        "tiff": [
            _image(color, "TIFF"),
            _image(wide, "TIFF"),
            *(_image(color, "TIFF", compression=c) for c in ("tiff_lzw", "tiff_deflate", "jpeg")),
        ],
        "gif": [_image(palette, "GIF"), _image(color, "GIF", **many)],
        "ppm": [_image(color, "PPM"), _image(gray, "PPM"), b"P3\n2 2\n255\n" + b"1 2 3 " * 4],
        "jp2": [_image(color, "JPEG2000"), _image(gray, "JPEG2000")],
        "avif": [_image(color, "AVIF")],
    }


def _image(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()
