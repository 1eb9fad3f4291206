"""Broken annotation files of every format: errors name the place, and no code is run."""

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vgtoolbox.datasets import (
    AnnotationError,
    COCOExpressionsDataset,
    EEVGListDataset,
    FPRefCOCODataset,
    GRefCOCODataset,
    InstanceVGJsonDataset,
    JSONLinesDataset,
    ReasonSegDataset,
    RefCOCODataset,
    RefZOMDataset,
    RRefCOCODataset,
    SegLLMConversationDataset,
)

SQUARE = [[2.0, 2.0, 12.0, 2.0, 12.0, 12.0, 2.0, 12.0]]
IMAGE = "COCO_train2014_000000000001.jpg"
INSTANCES = {
    "images": [{"id": 1, "file_name": IMAGE, "height": 48, "width": 64}],
    "annotations": [
        {"id": 11, "image_id": 1, "bbox": [2, 2, 10, 10], "segmentation": SQUARE},
        {"id": 12, "image_id": 1, "bbox": [3, 2, 10, 10], "segmentation": SQUARE},
    ],
}


def _ref(ref_id, ann_id, sentence=None, **keys):
    said = {"sent_id": ref_id, "sent": "the square", "raw": "The square.", **(sentence or {})}
    ref = {"ref_id": ref_id, "ann_id": ann_id, "image_id": 1, "split": "val", "sentences": [said]}
    return {**ref, **keys}


def _conversation(target):
    asked = {"from": "human", "value": f"[IMAGE256:{IMAGE}] Segment it."}
    found = {"from": "gpt", "value": f"[MASK-DECODE:none:none:{target}:{IMAGE}:refcoco]."}
    return {"conv_id": f"c{target}", "conversations": [asked, found]}


@dataclass(frozen=True)
class Format:
    """Files of a format with two records, and the keys that a record requires."""

    dataset: Callable[..., Any]
    file: str
    content: Any
    first: tuple[Any, ...] = (0,)
    """Path of the first record in the content."""
    required: tuple[str, ...] = ()
    """Keys that a record must have."""
    options: dict[str, Any] = field(default_factory=dict)

    def write(self, folder: Path, content: Any) -> Path:
        """Write `content` as the format does, with all other files that the reader needs."""
        path = folder / self.file
        path.parent.mkdir(exist_ok=True, parents=True)
        (folder / "instances.json").write_text(json.dumps(INSTANCES))
        if path.suffix == ".p":
            path.write_bytes(pickle.dumps(content, protocol=2))
        elif path.suffix == ".pth":
            torch.save(content, path)
        elif path.suffix == ".jsonl":
            lines = content if isinstance(content, list) else [content]
            path.write_text("\n".join(map(json.dumps, lines)))
        else:
            path.write_text(json.dumps(content))
        return path

    def read(self, folder: Path, **keys: Any) -> Any:
        """Read the files in `folder`."""
        options = {"data_root": str(folder), "split": "val", **self.options, **keys}
        return self.dataset(**options)


REF_KEYS = ("ref_id", "ann_id", "image_id", "sentences")
FORMATS = {
    "refcoco": Format(RefCOCODataset, "refs(unc).p", [_ref(1, 11), _ref(2, 12)], (0,), REF_KEYS),
    "grefcoco": Format(
        GRefCOCODataset, "grefs(unc).json", [_ref(1, [11]), _ref(2, [-1])], (0,), REF_KEYS
    ),
    "refzom": Format(
        RefZOMDataset,
        "refs(final).p",
        [_ref(1, [11], source="one"), _ref(2, [], source="zero")],
        (0,),
        (*REF_KEYS, "source"),
    ),
    "rrefcoco": Format(
        RRefCOCODataset, "refs(unc).p", [_ref(1, 11), _ref(2, 12, {"exist": False})], (0,), REF_KEYS
    ),
    "fprefcoco": Format(
        FPRefCOCODataset,
        "refs(berkeley_exclude_unified).p",
        [
            _ref(1, 11, {"is_false_premise": False}),
            _ref(2, 12, {"is_false_premise": True, "gt_sent": "the square"}),
        ],
        (0,),
        REF_KEYS,
    ),
    "instances": Format(
        RefCOCODataset,
        "instances.json",
        INSTANCES,
        ("annotations", 0),
        ("id", "bbox"),
    ),
    "instancevg": Format(
        InstanceVGJsonDataset,
        "instance.json",
        {
            "val": [
                {
                    "image_id": 1,
                    "width": 64,
                    "height": 48,
                    "expressions": {"raw": "the square"},
                    "annotations": [{"bbox": [2, 2, 10, 10], "segmentation": SQUARE}],
                }
            ]
            * 2
        },
        ("val", 0),
        ("image_id", "width", "height", "expressions"),
    ),
    "reasonseg": Format(
        ReasonSegDataset,
        "val/one.json",
        {
            "shapes": [{"label": "target", "points": [[2, 2], [12, 2], [12, 12]]}],
            "text": ["what is it?"],
            "is_sentence": True,
        },
        (),
        ("shapes", "text", "is_sentence"),
    ),
    "phrases": Format(
        EEVGListDataset,
        "unc/unc_val.pth",
        [(IMAGE, "coco", [2, 2, 10, 10, *SQUARE], text, "") for text in ("a square", "it")],
        options={"name": "unc"},
    ),
    "lines": Format(
        JSONLinesDataset,
        "val.jsonl",
        [{"image": IMAGE, "expression": text, "boxes": [2, 2, 12, 12]} for text in ("a", "b")],
        (0,),
        ("image", "expression"),
    ),
    "coco": Format(
        COCOExpressionsDataset,
        "val.json",
        {
            **INSTANCES,
            "annotation_groups": [
                {"image_id": 1, "annotation_ids": [11], "expressions": ["the square"]},
                {"image_id": 1, "annotation_ids": [], "expressions": ["a dog"]},
            ],
        },
        ("annotation_groups", 0),
        ("image_id", "annotation_ids", "expressions"),
    ),
    "segllm": Format(
        SegLLMConversationDataset,
        "val.json",
        [_conversation(11), _conversation(12)],
        (0,),
        ("conversations",),
        {"masks": {"refcoco": "instances.json"}},
    ),
}
FORMAT_NAMES = sorted(FORMATS)
EXPECTED_ERRORS = (AnnotationError, pickle.UnpicklingError)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "val").mkdir()
    for name in ("one", "two"):
        cv2.imwrite(str(tmp_path / "val" / f"{name}.jpg"), np.zeros((48, 64, 3), np.uint8))
    for name in ("refcoco", "instances"):
        FORMATS["refcoco"].write(tmp_path, FORMATS["refcoco"].content)
        FORMATS[name].write(tmp_path, FORMATS[name].content)
    return tmp_path


def _replace(content, path, value):
    """Return a copy of nested containers with `value` at `path`."""
    if not path:
        return value
    key, *rest = path
    if isinstance(content, dict):
        return {**content, key: _replace(content[key], rest, value)}
    items = [_replace(x, rest, value) if i == key else x for i, x in enumerate(content)]
    return type(content)(items)


def _paths(content, path=()):
    """Yield the path of each value of nested containers."""
    yield path
    if isinstance(content, dict | list | tuple):
        items = content.items() if isinstance(content, dict) else enumerate(content)
        for key, value in items:
            yield from _paths(value, (*path, key))


def _at(content, path):
    for key in path:
        content = content[key]
    return content


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_complete_file_is_read(name, folder):
    FORMATS[name].write(folder, FORMATS[name].content)
    assert len(FORMATS[name].read(folder)) in (1, 2)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_error_names_the_truncated_file(name, share, folder):
    path = FORMATS[name].write(folder, FORMATS[name].content)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    expected = (*EXPECTED_ERRORS, ValueError) if name == "lines" else EXPECTED_ERRORS
    with pytest.raises(expected) as raised:
        FORMATS[name].read(folder)
    assert name == "lines" or path.name in str(raised.value)


@pytest.mark.parametrize("wrong", [5, "text", [[7]], {"a": 1}, None])
@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_error_names_the_file_with_unexpected_content(name, wrong, folder):
    if name == "lines":
        wrong = [wrong]
    path = FORMATS[name].write(folder, wrong)
    with pytest.raises(EXPECTED_ERRORS) as raised:
        FORMATS[name].read(folder)
    assert path.name in str(raised.value)


@pytest.mark.parametrize(
    ("name", "key"), [(name, key) for name in FORMAT_NAMES for key in FORMATS[name].required]
)
def test_error_names_the_missing_key(name, key, folder):
    form = FORMATS[name]
    record = dict(_at(form.content, form.first))
    del record[key]
    form.write(folder, _replace(form.content, form.first, record))
    with pytest.raises(AnnotationError, match=f"'{key}'") as raised:
        form.read(folder)
    assert form.file.rpartition("/")[2] in str(raised.value)


@pytest.mark.parametrize("name", [n for n in FORMAT_NAMES if n not in ("instances", "reasonseg")])
def test_broken_record_raises_or_is_skipped(name, folder):
    form = FORMATS[name]
    form.write(folder, _replace(form.content, form.first, ["broken"]))
    with pytest.raises(AnnotationError):
        form.read(folder)
    assert len(form.read(folder, corrupted="skip")) == 1


def test_skipped_records_are_logged_by_id(folder, monkeypatch):
    logged = []
    monkeypatch.setattr(
        "vgtoolbox.datasets.base.print_log", lambda message, **_: logged.append(message)
    )
    refs = [{**_ref(17, 11), "sentences": 3}, _ref(2, 12), {**_ref(18, 99)}]
    FORMATS["refcoco"].write(folder, refs)
    assert len(FORMATS["refcoco"].read(folder, corrupted="skip")) == 1
    (message,) = logged
    assert "skipped 2 broken annotations: ref 17 (the key 'sentences'" in message
    assert "ref 18 (annotation 99" in message


class _Touch:
    """Object whose pickle creates a file when an unrestricted unpickler loads it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("name", ["refcoco", "refzom", "rrefcoco", "fprefcoco", "phrases"])
def test_code_in_a_pickle_is_refused(name, folder):
    witness = folder / "witness"
    path = FORMATS[name].write(folder, [*FORMATS[name].content, _Touch(witness)])
    with pytest.raises(pickle.UnpicklingError) as raised:
        FORMATS[name].read(folder)
    assert path.name in str(raised.value)
    with pytest.raises(pickle.UnpicklingError):
        FORMATS[name].read(folder, corrupted="skip")
    assert not witness.exists()


@pytest.mark.parametrize("name", ["refcoco", "refzom", "phrases"])
def test_pickle_that_contains_itself_raises(name, folder):
    form = FORMATS[name]
    circle = []
    circle.append(circle)
    for content in (circle, _replace(form.content, form.first, circle)):
        form.write(folder, content)
        with pytest.raises(AnnotationError):
            form.read(folder)


@pytest.mark.parametrize("table", ["images", "annotations"])
def test_duplicate_ids_raise(table, folder):
    entries = INSTANCES[table]
    content = {**INSTANCES, table: [*entries, {**entries[0], "category_id": 3}]}
    FORMATS["instances"].write(folder, content)
    (folder / "instances.json").write_text(json.dumps(content))
    with pytest.raises(AnnotationError, match=rf"ids of '{table}' must be unique"):
        FORMATS["instances"].read(folder)


def test_deeply_nested_json_raises(folder):
    (folder / "instances.json").write_text("[" * 100_000)
    with pytest.raises(AnnotationError, match=r"instances\.json is truncated or not JSON"):
        FORMATS["instances"].read(folder)


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([-1, 0, 10**30, float("nan"), float("inf"), "", "\0", "text", b"bytes"]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.sampled_from(["id", "size", "counts", "raw"]), st.integers(), max_size=2),
)
FUZZ = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("name", FORMAT_NAMES)
@FUZZ
@given(data=st.data())
def test_any_value_is_read_or_the_error_names_the_file(name, folder, data):
    form = FORMATS[name]
    where = data.draw(st.sampled_from(list(_paths(form.content))))
    value = data.draw(ANYTHING)
    if isinstance(value, bytes) and not form.file.endswith((".p", ".pth")):
        value = value.decode()
    path = form.write(folder, _replace(form.content, where, value))
    _read_or_check_error(form, folder, path)


@pytest.mark.parametrize("name", FORMAT_NAMES)
@FUZZ
@given(data=st.data())
def test_any_bytes_are_read_or_the_error_names_the_file(name, folder, data):
    form = FORMATS[name]
    path = form.write(folder, form.content)
    old = path.read_bytes()
    place = data.draw(st.integers(0, len(old) - 1))
    noise = data.draw(st.binary(min_size=1, max_size=4))
    path.write_bytes(old[:place] + noise + old[place + len(noise) :])
    _read_or_check_error(form, folder, path)


def _read_or_check_error(form, folder, path):
    """Read the files; an error must name the file, or say that the split is empty."""
    try:
        form.read(folder)
    except EXPECTED_ERRORS as error:
        assert path.name in str(error) or "instances.json" in str(error)
    except ValueError as error:
        assert "has no samples" in str(error)
