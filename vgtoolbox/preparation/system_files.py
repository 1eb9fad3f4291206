"""Benchmarks released with a system: ReasonSeg, and files derived from other benchmarks."""

from __future__ import annotations

from collections.abc import Mapping

from vgtoolbox.preparation.benchmark import (
    GENERATED_IMAGES,
    AnnotationFiles,
    Benchmark,
    Counts,
    ImageFolder,
    Split,
)
from vgtoolbox.preparation.refer_family import COCO, TRAIN2014

_REASONSEG_FOLDER = "reason_seg/ReasonSeg"
_INSTANCEVG = "https://huggingface.co/datasets/Dmmm997/InstanceVG_Data"

REASONSEG = Benchmark(
    name="reasonseg",
    title="ReasonSeg",
    annotation_files=(),
    images=tuple(
        ImageFolder(
            folder=f"{_REASONSEG_FOLDER}/{split}",
            origin="https://github.com/dvlab-research/LISA#dataset",
            archives=(f"{split}.zip",),
        )
        for split in ("train", "val", "test")
    ),
    reader={"type": "ReasonSegDataset", "ann_root": _REASONSEG_FOLDER},
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
    annotation_files=tuple(
        AnnotationFiles(folder=f"seqtr_type/annotations/{name}", names=files, origin=_INSTANCEVG)
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
                # Ref-ZOM uses images of train2014 and val2014, merged into one folder.
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
    # The parts of RefCOCO, RefCOCO+ and RefCOCOg share images, also between train and test.
    shares_images=frozenset({"mixed-seg", "rrefcoco"}),
)

_EEVG = "https://github.com/chenwei746/EEVG"
_FLICKR_IMAGES = "https://bryanplummer.com/Flickr30kEntities/"
_VG_IMAGES = "https://homes.cs.washington.edu/~ranjay/visualgenome/api.html"
_LIST_IMAGES = {
    "coco": "image_data/mscoco/images/train2014",
    "flickr": "image_data/flickr30k",
    "vg": "image_data/visual-genome",
    "referit": "image_data/referit/images",
}
_GENERATED_LIST_IMAGES = {**_LIST_IMAGES, "coco": GENERATED_IMAGES, "referit": GENERATED_IMAGES}


def _list_split(name: str, split: str, expressions: int | None = None) -> Split:
    return Split(
        name=f"{name}/{split}",
        options={"name": name, "split": split},
        counts=Counts(expressions=expressions),
        training=split == "train",
    )


def _lists(names: Mapping[str, tuple[str, ...]]) -> tuple[AnnotationFiles, ...]:
    return tuple(
        AnnotationFiles(
            folder=f"mask_data/{name}",
            names={f"{name}_{split}.pth": () for split in splits},
            origin=_EEVG,
        )
        for name, splits in names.items()
    )


PLVL = Benchmark(
    name="plvl",
    title="EEVG's and PLVL's lists of the RefCOCO family",
    annotation_files=_lists(
        {
            "unc": ("train", "val", "testA", "testB"),
            "unc+": ("train", "val", "testA", "testB"),
            "gref_umd": ("train", "val", "test"),
            "mixed_coco": ("train", "val"),
        }
    ),
    images=(ImageFolder(folder=_LIST_IMAGES["coco"], origin=COCO, archives=("train2014.zip",)),),
    reader={"type": "EEVGListDataset", "ann_root": "mask_data", "image_root": _LIST_IMAGES},
    # One tuple per sentence, as many as in RefCOCO, RefCOCO+ and RefCOCOg.
    splits=(
        _list_split("unc", "train", 120624),
        _list_split("unc", "val", 10834),
        _list_split("unc", "testA", 5657),
        _list_split("unc", "testB", 5095),
        _list_split("unc+", "train", 120191),
        _list_split("unc+", "val", 10758),
        _list_split("unc+", "testA", 5726),
        _list_split("unc+", "testB", 4889),
        _list_split("gref_umd", "train", 80512),
        _list_split("gref_umd", "val", 4896),
        _list_split("gref_umd", "test", 9602),
        _list_split("mixed_coco", "train"),
        _list_split("mixed_coco", "val"),
    ),
    shares_images=frozenset({"mixed_coco"}),
    generated_reader={"image_root": _GENERATED_LIST_IMAGES},
)

FLICKR30K = Benchmark(
    name="flickr30k",
    title="Flickr30k Entities, as EEVG's lists",
    annotation_files=_lists({"flickr": ("train", "val", "test")}),
    images=(
        ImageFolder(
            folder="image_data/Flickr30k/flickr30k_images",
            origin=_FLICKR_IMAGES,
            archives=("flickr30k-images.tar",),
            aliases=("flickr30k-images",),
        ),
    ),
    reader={
        "type": "EEVGListDataset",
        "ann_root": "mask_data",
        "image_root": "image_data/Flickr30k/flickr30k_images",
    },
    splits=tuple(_list_split("flickr", split) for split in ("train", "val", "test")),
    generated_reader={"image_root": "image_data/Flickr30k/flickr30k_images"},
)

VISUAL_GENOME = Benchmark(
    name="vg",
    title="Visual Genome in EEVG's mixture for pretraining",
    annotation_files=_lists({"mixed_pretrain": ("train", "val")}),
    images=(
        ImageFolder(folder=_LIST_IMAGES["coco"], origin=COCO, archives=("train2014.zip",)),
        ImageFolder(
            folder=_LIST_IMAGES["flickr"],
            origin=_FLICKR_IMAGES,
            archives=("flickr30k-images.tar",),
            aliases=("flickr30k-images",),
        ),
        ImageFolder(
            folder=_LIST_IMAGES["vg"], origin=_VG_IMAGES, archives=("images.zip", "images2.zip")
        ),
    ),
    reader={"type": "EEVGListDataset", "ann_root": "mask_data", "image_root": _LIST_IMAGES},
    splits=tuple(_list_split("mixed_pretrain", split) for split in ("train", "val")),
    shares_images=frozenset({"mixed_pretrain"}),
    generated_reader={"image_root": _GENERATED_LIST_IMAGES},
)

_SEGLLM = "https://huggingface.co/datasets/Marlo-Z/SegLLM_dataset"
_PACO = "https://github.com/facebookresearch/paco/tree/main#dataset-setup"
_REFER_MASKS = {name: f"{name}/instances.json" for name in ("refcoco", "refcoco+", "refcocog")}


def _conversation_split(name: str, counts: Counts | None = None, *, part: str) -> Split:
    """Return a file of conversations as a split, with masks of RefCOCO and of a part of PACO."""
    return Split(
        name=name,
        options={
            "split": name,
            "ann_file": f"{name}.json",
            "masks": {**_REFER_MASKS, "paco_lvis": f"paco/paco_lvis_v1_{part}.json"},
        },
        counts=counts or Counts(),
        training=part == "train",
    )


SEGLLM = Benchmark(
    name="segllm",
    title="SegLLM: MR-RefCOCO, MR-PACO",
    annotation_files=(
        AnnotationFiles(
            folder="segllm",
            names={
                f"{name}.json": ()
                for name in (
                    "mr_refcoco_train",
                    "mr_refcoco_hard_train",
                    "mr_refcoco_val",
                    "mr_paco_train",
                    "mr_paco_val",
                )
            },
            origin=_SEGLLM,
        ),
        AnnotationFiles(
            folder="paco",
            names={"paco_lvis_v1_train.json": (), "paco_lvis_v1_val.json": ()},
            origin=_PACO,
        ),
    ),
    images=(
        TRAIN2014,
        ImageFolder(folder="images/train2017", origin=COCO, archives=("train2017.zip",)),
    ),
    reader={"type": "SegLLMConversationDataset", "ann_root": "segllm", "image_root": "images"},
    # Conversations and rounds of the published validation file, as counted by third parties.
    splits=(
        _conversation_split("mr_refcoco_train", part="train"),
        _conversation_split("mr_refcoco_hard_train", part="train"),
        _conversation_split("mr_refcoco_val", Counts(refs=1500, expressions=6832), part="val"),
        _conversation_split("mr_paco_train", part="train"),
        _conversation_split("mr_paco_val", part="val"),
    ),
    # Several files use the same training images.
    shares_images=frozenset({""}),
    generated_reader={"image_root": ""},
)
