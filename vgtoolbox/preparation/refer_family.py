"""Benchmarks whose files are refs next to `instances.json`.

Counts of refs and images: the table of https://www.tensorflow.org/datasets/catalog/ref_coco. Counts
of expressions: the numbers that papers report (10,834 / 5,657 / 5,095 for RefCOCO's val,
testA and testB; https://github.com/luogen1996/MCN/issues/7 counts 95,010 in all of RefCOCOg umd).
"""

from __future__ import annotations

from vgtoolbox.preparation.benchmark import (
    AnnotationFiles,
    Benchmark,
    Counts,
    ImageFolder,
    Split,
)

REFER = (
    "https://github.com/lichengunc/refer (archived copies: https://github.com/dvlab-research/LISA)"
)
COCO = "https://cocodataset.org/#download"
TRAIN2014 = ImageFolder(folder="images/train2014", origin=COCO, archives=("train2014.zip",))
VAL2014 = ImageFolder(folder="images/val2014", origin=COCO, archives=("val2014.zip",))
_INSTANCES = {"instances.json": ()}


def _split(name: str, *counts: int | None, split_by: str, prefixed: bool = False) -> Split:
    """Return a split of a refs file.

    Args:
        name: Name of the split in the file.
        counts: Numbers of refs, expressions and images. If omitted, they are unknown.
        split_by: Partition, part of the name of the file.
        prefixed: Whether the name of the split includes the partition.
    """
    refs, expressions, images = counts or (None, None, None)
    return Split(
        name=f"{split_by}/{name}" if prefixed else name,
        options={"split": name, "split_by": split_by},
        counts=Counts(refs=refs, expressions=expressions, images=images),
        training=name == "train",
    )


_GENERATED_SPLITS = tuple(_split(name, split_by="unc") for name in ("train", "val", "test"))

REFCOCO = Benchmark(
    name="refcoco",
    title="RefCOCO",
    annotation_files=(
        AnnotationFiles(folder="refcoco", names={"refs(unc).p": (), **_INSTANCES}, origin=REFER),
    ),
    images=(TRAIN2014,),
    reader={"type": "RefCOCODataset", "ann_root": "refcoco", "image_root": TRAIN2014.folder},
    splits=(
        _split("train", 42404, 120624, 16994, split_by="unc"),
        _split("val", 3811, 10834, 1500, split_by="unc"),
        _split("testA", 1975, 5657, 750, split_by="unc"),
        _split("testB", 1810, 5095, 750, split_by="unc"),
    ),
    generated_splits=_GENERATED_SPLITS,
)

REFCOCO_PLUS = Benchmark(
    name="refcoco+",
    title="RefCOCO+",
    annotation_files=(
        AnnotationFiles(folder="refcoco+", names={"refs(unc).p": (), **_INSTANCES}, origin=REFER),
    ),
    images=(TRAIN2014,),
    reader={"type": "RefCOCODataset", "ann_root": "refcoco+", "image_root": TRAIN2014.folder},
    splits=(
        _split("train", 42278, 120191, 16992, split_by="unc"),
        _split("val", 3805, 10758, 1500, split_by="unc"),
        _split("testA", 1975, 5726, 750, split_by="unc"),
        _split("testB", 1798, 4889, 750, split_by="unc"),
    ),
)

REFCOCOG = Benchmark(
    name="refcocog",
    title="RefCOCOg",
    annotation_files=(
        AnnotationFiles(
            folder="refcocog",
            names={"refs(umd).p": (), "refs(google).p": (), **_INSTANCES},
            origin=REFER,
        ),
    ),
    images=(TRAIN2014,),
    reader={"type": "RefCOCODataset", "ann_root": "refcocog", "image_root": TRAIN2014.folder},
    splits=(
        _split("train", 42226, 80512, 21899, split_by="umd", prefixed=True),
        _split("val", 2573, 4896, 1300, split_by="umd", prefixed=True),
        _split("test", 5023, 9602, 2600, split_by="umd", prefixed=True),
        _split("train", 44822, None, 24698, split_by="google", prefixed=True),
        _split("val", 5000, None, 4650, split_by="google", prefixed=True),
    ),
    shares_images=frozenset({"google"}),
)

REFCLEF = Benchmark(
    name="refclef",
    title="RefCLEF (ReferIt)",
    annotation_files=(
        AnnotationFiles(
            folder="refclef",
            names={"refs(unc).p": (), "refs(berkeley).p": (), **_INSTANCES},
            origin=REFER,
        ),
    ),
    images=(
        ImageFolder(folder="images/saiapr_tc-12", origin=REFER, archives=("saiapr_tc-12.zip",)),
    ),
    reader={
        "type": "RefCOCODataset",
        "ann_root": "refclef",
        "image_root": "images/saiapr_tc-12",
    },
    splits=tuple(
        _split(name, split_by=split_by, prefixed=True)
        for split_by, names in {
            "unc": ("train", "val", "testA", "testB", "testC"),
            "berkeley": ("train", "val", "test"),
        }.items()
        for name in names
    ),
    # Its test splits overlap by design: a ref of "testAB" is in two of them.
    shares_images=frozenset({"unc"}),
)

GREFCOCO = Benchmark(
    name="grefcoco",
    title="gRefCOCO",
    annotation_files=(
        AnnotationFiles(
            folder="grefcoco",
            names={"grefs(unc).json": ("grefs(unc).p",), **_INSTANCES},
            origin="https://github.com/henghuiding/gRefCOCO",
        ),
    ),
    images=(TRAIN2014,),
    reader={"type": "GRefCOCODataset", "ann_root": "grefcoco", "image_root": TRAIN2014.folder},
    splits=tuple(_split(name, split_by="unc") for name in ("train", "val", "testA", "testB")),
    generated_splits=_GENERATED_SPLITS,
    # https://github.com/henghuiding/gRefCOCO/issues/6: 6 % of the paper's are not in the release.
    total=Counts(expressions=259859),
)

REFZOM = Benchmark(
    name="refzom",
    title="Ref-ZOM",
    annotation_files=(
        AnnotationFiles(
            folder="ref-zom",
            names={"refs(final).p": ("Ref-ZOM(final).p", "Ref_ZOM.p"), **_INSTANCES},
            origin="https://github.com/toggle1995/RIS-DMMI",
            aliases=("refzom", "Ref-ZOM"),
        ),
    ),
    images=(TRAIN2014, VAL2014),
    reader={"type": "RefZOMDataset", "ann_root": "ref-zom", "image_root": "images/{folder}"},
    splits=tuple(_split(name, split_by="final") for name in ("train", "test")),
    # Hu et al., ICCV 2023.
    total=Counts(images=55078),
)

_RREFCOCO_PAGE = "https://github.com/jianzongwu/robust-ref-seg"
_RREFCOCO_PARTS = {"rrefcoco": "unc", "rrefcoco+": "unc", "rrefcocog": "umd"}

RREFCOCO = Benchmark(
    name="rrefcoco",
    title="R-RefCOCO, R-RefCOCO+, R-RefCOCOg",
    annotation_files=tuple(
        AnnotationFiles(
            folder=part,
            names={f"refs({split_by}).p": (), **_INSTANCES},
            origin=_RREFCOCO_PAGE,
            aliases=(part.replace("rref", "R-ref"),),
        )
        for part, split_by in _RREFCOCO_PARTS.items()
    ),
    images=(TRAIN2014,),
    reader={"type": "RRefCOCODataset", "image_root": TRAIN2014.folder},
    splits=tuple(
        Split(
            name=f"{part}/{name}",
            options={"ann_root": part, "split": name, "split_by": split_by},
            training=name == "train",
        )
        for part, split_by in _RREFCOCO_PARTS.items()
        for name in ("train", "val")
    ),
)

FPREFCOCO = Benchmark(
    name="fprefcoco",
    title="FP-RefCOCO, FP-RefCOCO+, FP-RefCOCOg",
    annotation_files=tuple(
        AnnotationFiles(
            folder=part,
            names={"refs(berkeley_exclude_unified).p": (), **_INSTANCES},
            origin="https://github.com/see-say-segment/sesame",
        )
        for part in ("fprefcoco", "fprefcoco+", "fprefcocog")
    ),
    images=(TRAIN2014,),
    reader={"type": "FPRefCOCODataset", "image_root": TRAIN2014.folder},
    splits=tuple(
        Split(
            name=f"{part}/{name}",
            options={"ann_root": part, "split": name},
            training=name == "train",
        )
        for part in ("fprefcoco", "fprefcoco+", "fprefcocog")
        for name in ("train", "val")
    ),
)
