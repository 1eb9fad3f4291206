"""Read ReasonSeg: one folder per split, with a LabelMe-like JSON file for each image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any, Literal, get_args

from vgtoolbox.datasets.annotations.annotation_files import (
    AnnotationError,
    Entry,
    FieldError,
    describe,
    expect,
    expect_items,
    parse_json,
    read_annotations_file,
)
from vgtoolbox.datasets.annotations.labelme_shapes import paint_shapes
from vgtoolbox.datasets.base import GroundingDataset
from vgtoolbox.datasets.records import Record, image_id_of
from vgtoolbox.registry import DATASETS
from vgtoolbox.utils.choices import check_choice, did_you_mean
from vgtoolbox.utils.image_files import ImageFileError, image_size
from vgtoolbox.utils.text_files import (
    GZIP_SUFFIX,
    CompressedFileError,
    EncodingError,
    decode_utf8,
    existing_file,
    read_bytes,
)

Texts = Literal["all", "first"]

# Splits by query length share one folder on disk.
_FOLDERS = {"test_overall": "test", "test_shortquery": "test", "test_longquery": "test"}
_KINDS = {"test_shortquery": "short", "test_longquery": "long"}
_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
"""Suffixes of the image of an annotation, the preferred one first."""
_LISTED = 5


@DATASETS.register_module()
@dataclass(kw_only=True, eq=False, repr=False)
class ReasonSegDataset(GroundingDataset):
    """Questions whose answer is a region (Lai et al., LISA, CVPR 2024).

    The folder of the split in `ann_root` contains both images and annotations. All questions of an
    image ask for the same region, the only target; `ignore_mask_ori`, an RLE, marks pixels that the
    annotation leaves undecided. `query_kind` of a record is "long" if the question is a sentence,
    or "short". If `explanatory/train.json` is next to the splits, records of its images have
    `explanation`.

    Args:
        split: Name of the split: train, val, test, test_shortquery, test_longquery or
            test_overall.
        texts: "all" to read all questions about an image, or "first" for the first one alone, as
            in the published evaluation.
        false_premises: Whether to add the questions of `false_premise_QA` (Wu et al., SESAME, CVPR
            2024), which ask for absent objects; `correction` is the answer. `texts` applies to them
            too.

    The other arguments are those of `GroundingDataset`.
    """

    texts: Texts = "all"
    false_premises: bool = False

    def read_entries(self) -> Iterator[Entry]:
        """Yield the annotation files of the split, sorted by name."""
        check_choice("texts", self.texts, get_args(Texts))
        folder = self.ann_dir / _FOLDERS.get(self.split, self.split)
        files = sorted([*folder.glob("*.json"), *folder.glob(f"*.json{GZIP_SUFFIX}")])
        if not files:
            present = [file.name for file in sorted(self.ann_dir.glob("*")) if file.is_dir()]
            nearest = did_you_mean(self.split, [*present, *_FOLDERS])
            raise FileNotFoundError(
                f"no annotations for ReasonSegDataset in {folder.resolve()}{nearest}; expected\n"
                f"  {folder}/*.json\n  {folder}/*.jpg\n"
                "For the official files, see data/README.md"
            )
        self._explanations = self._read_explanations()
        self._images = _images_in(folder)
        self._recoded: list[str] = []
        for file in files:
            yield Entry(file, "its annotation", file)
        if self._recoded:
            more = ["..."] if len(self._recoded) > _LISTED else []
            listed = ", ".join([*self._recoded[:_LISTED], *more])
            self._log(f"{len(self._recoded)} files are cp1252 instead of UTF-8: {listed}")

    def parse_data_info(self, raw_data_info: Path) -> Record | None:
        """Return the record of an image with its questions, or `None` if it has another split."""
        content = self._read(raw_data_info)
        stem = annotation_stem(raw_data_info)
        kind = "long" if expect(content, "is_sentence", bool | int) else "short"
        if kind != _KINDS.get(self.split, kind):
            return None
        image = self._images.get(stem, raw_data_info.with_name(f"{stem}{_IMAGE_SUFFIXES[0]}"))
        try:
            size = image_size(image)
        except ImageFileError as error:
            raise FieldError(f"its {error}") from None
        region, ignored = paint_shapes(expect_items(content, "shapes", dict), size)
        return {
            "img_path": str(image),
            "image_id": image_id_of(image.name),
            "sample_id": stem,
            "split": self.split,
            "height": size[0],
            "width": size[1],
            "targets": [] if region is None else [region],
            **self._questions(content, stem, kind, has_region=region is not None),
            **({} if ignored is None else {"ignore_mask_ori": ignored}),
            **self._explanations.get(image.name, {}),
        }

    def _read(self, path: Path) -> Any:
        """Read JSON in UTF-8, or in cp1252 as in some published files.

        Raises:
            FieldError: The file is in another encoding, or not JSON.
        """
        try:
            data = read_bytes(path)
            return parse_json(decode_utf8(data))
        except CompressedFileError as error:
            raise FieldError(str(error)) from None
        except EncodingError as error:
            try:
                text = "" if b"\0" in data else data.decode("cp1252")
            except UnicodeDecodeError:
                text = ""
            if not text:  # another encoding
                raise FieldError(f"line {error.line}: the text {error}") from None
        content = parse_json(text)
        self._recoded.append(path.name)
        return content

    def _questions(self, content: Any, name: str, kind: str, *, has_region: bool) -> Record:
        """Return the questions, their kinds, and the corrections of false premises."""
        count = 1 if self.texts == "first" else None
        asked = expect_items(content, "text", str)[:count]
        if not asked:
            raise FieldError("the key 'text' must be one question or more, got none")
        false = _false_premises(content)[:count] if self.false_premises else []
        questions: Record = {
            "expressions": asked + [question for question, _, _ in false],
            "query_kinds": [kind] * len(asked)
            + ["long" if long else "short" for _, long, _ in false],
        }
        if self.false_premises:
            questions["corrections"] = [None] * len(asked) + [answer for _, _, answer in false]
            asked_for = [0] if has_region else []
            questions["expression_targets"] = [asked_for] * len(asked) + [[]] * len(false)
        numbers = range(len(questions["expressions"]))
        return {**questions, "expression_ids": [f"{name}_{number}" for number in numbers]}

    def _read_explanations(self) -> dict[str, Record]:
        """Return `{"explanation": {"query", "outputs"}}` by image name."""
        path = existing_file(self.ann_dir / "explanatory" / "train.json")
        if path is None:
            return {}
        content = read_annotations_file(path)
        try:
            return {
                expect(item, "image", str): {
                    "explanation": {key: expect(item, key, str) for key in ("query", "outputs")}
                }
                for item in expect_items({"items": content}, "items", dict)
            }
        except FieldError as error:
            raise AnnotationError(f"{path}: {error}") from None


def annotation_stem(path: Path) -> str:
    """Return the name of an annotation file, which its image shares, without suffixes."""
    return path.name.removesuffix(GZIP_SUFFIX).removesuffix(".json")


def images_of_stem(folder: Path, stem: str) -> list[Path]:
    """Return the images in a folder that have a name, whatever the case of their suffix."""
    found = [p for p in folder.glob(f"{escape(stem)}.*") if p.stem == stem]
    return [path for path in found if path.suffix.lower() in _IMAGE_SUFFIXES]


def _images_in(folder: Path) -> dict[str, Path]:
    """Return the preferred image of each name in a folder."""
    ranks = {suffix: rank for rank, suffix in enumerate(_IMAGE_SUFFIXES)}
    images = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in ranks]
    images.sort(key=lambda path: -ranks[path.suffix.lower()])
    return {path.stem: path for path in images}


def _false_premises(content: Any) -> list[tuple[str, bool, str]]:
    """Return (question, whether it is a sentence, answer) of each false premise."""
    premises = expect_items(content, "false_premise_QA", list)
    for premise in premises:
        kinds = [type(value) for value in premise]
        if kinds != [str, bool, str]:
            raise FieldError(
                "the key 'false_premise_QA' must be [question, whether it is a sentence, answer], "
                f"got {describe(premise)}"
            )
    return [(question, is_long, answer) for question, is_long, answer in premises]
