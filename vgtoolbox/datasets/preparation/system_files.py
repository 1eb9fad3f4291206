"""The benchmarks whose files come with a system: ReasonSeg, and those derived from the others."""

from __future__ import annotations

from vgtoolbox.datasets.preparation.benchmark import (
    Benchmark,
    Bundle,
    Counts,
    ImageFolder,
    Split,
)

COCO = "https://cocodataset.org/#download"
REASONSEG_FOLDER = "reason_seg/ReasonSeg"
_INSTANCEVG = "https://huggingface.co/datasets/Dmmm997/InstanceVG_Data"

REASONSEG = Benchmark(
    name="reasonseg",
    title="ReasonSeg",
    bundles=(),
    images=tuple(
        ImageFolder(
            folder=f"{REASONSEG_FOLDER}/{split}",
            origin="https://github.com/dvlab-research/LISA#dataset",
            archives=(f"{split}.zip",),
        )
        for split in ("train", "val", "test")
    ),
    reader={"type": "ReasonSegDataset", "ann_root": REASONSEG_FOLDER},
    # https://github.com/dvlab-research/LISA#dataset: 239 train, 200 val and 779 test.
    splits=tuple(
        Split(
            name=name,
            options={"split": name},
            counts=Counts(refs=images, images=images),
            training=name == "train",
        )
        for name, images in (("train", 239), ("val", 200), ("test", 779))
    ),
)

_SEQTR_IMAGES = "seqtr_type/images/mscoco/train2014"
_SEQTR_FILES: dict[str, dict[str, tuple[str, ...]]] = {
    "mixed-seg": {"instances_nogoogle.json": ("instances_nogoogle_withid.json",)},
    "grefs": {"instances.json": ("instance.json",)},
    "ref-zom": {"instance.json": ("instances.json",)},
    "rrefcoco": {"instance.json": ("instances.json",), "instance_index.json": ()},
}
_SEQTR_SPLITS = {
    "mixed-seg": (
        "train",
        "val_refcoco_unc",
        "testA_refcoco_unc",
        "testB_refcoco_unc",
        "val_refcocoplus_unc",
        "testA_refcocoplus_unc",
        "testB_refcocoplus_unc",
        "val_refcocog_umd",
        "test_refcocog_umd",
    ),
    "grefs": ("train", "val", "testA", "testB"),
    "ref-zom": ("train", "test"),
    "rrefcoco": ("train", "val_rrefcoco", "val_rrefcoco+", "val_rrefcocog"),
}

INSTANCEVG = Benchmark(
    name="instancevg",
    title="InstanceVG's released annotations",
    bundles=tuple(
        Bundle(folder=f"seqtr_type/annotations/{name}", files=files, origin=_INSTANCEVG)
        for name, files in _SEQTR_FILES.items()
    ),
    images=(
        ImageFolder(
            folder=_SEQTR_IMAGES,
            origin=COCO,
            archives=("train2014.zip",),
        ),
        ImageFolder(
            folder="seqtr_type/images/mscoco/trainval2014",
            origin=COCO,
            archives=("train2014.zip", "val2014.zip"),
        ),
    ),
    reader={"type": "InstanceVGJsonDataset", "image_root": _SEQTR_IMAGES},
    splits=tuple(
        Split(
            name=f"{name}/{split}",
            options={
                "ann_root": f"seqtr_type/annotations/{name}",
                "split": split,
                # Ref-ZOM takes images from train2014 and val2014, merged into one folder.
                **(
                    {"image_root": "seqtr_type/images/mscoco/trainval2014"}
                    if name == "ref-zom"
                    else {}
                ),
            },
            training=split == "train",
        )
        for name, splits in _SEQTR_SPLITS.items()
        for split in splits
    ),
    # RefCOCO's, RefCOCO+'s and RefCOCOg's parts share images, in train with the tests too.
    shares_images=frozenset({"mixed-seg", "rrefcoco"}),
)
