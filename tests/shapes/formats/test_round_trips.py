"""Readers return the annotations of the generated dataset from each format."""

import re
from pathlib import Path

import pytest

from vgtoolbox.datasets import (
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
from vgtoolbox.shapes.formats import FORMATS, parse_formats, write_formats
from vgtoolbox.shapes.formats.world_annotations import WorldAnnotations
from vgtoolbox.structures import merge_rles, rle_areas, rle_iou, segmentation_to_rle

TYPOGRAPHIC = str.maketrans({"\u201c": "", "\u201d": "", "\u2026": "", "\u00a0": " "})


def plain(text):
    return text.translate(TYPOGRAPHIC).lower()


def records(dataset):
    found = [dataset.get_data_info(index) for index in range(len(dataset))]
    assert all(Path(record["img_path"]).is_file() for record in found)
    return found


def facts(dataset):
    """Return (image, boxes of the targets, sentence) of each expression of a dataset."""
    return {
        (Path(r["img_path"]).name, boxes(r["targets"]), plain(r["expressions"][0]))
        for r in records(dataset)
    }


def world_facts(world, refs):
    """Return the same from the annotations of the generated dataset."""
    return {
        (
            world.images[ref["image_id"]]["file_name"],
            boxes(world.targets(ref)),
            plain(sentence["raw"]),
        )
        for ref in refs
        for sentence in ref["sentences"]
    }


def boxes(targets):
    return frozenset(tuple(round(float(v), 2) for v in target["bbox"]) for target in targets)


def of_split(world, *splits, single=False):
    refs = world.single_refs() if single else world.grefs
    return [ref for ref in refs if ref["split"] in splits]


@pytest.fixture(scope="module")
def read(world_root):
    """Build a reader of the generated dataset."""

    def build(kind, **options):
        return kind(data_root=str(world_root), **{"image_root": "images", **options})

    return build


def test_writing_again_gives_identical_files(world_root, tmp_path):
    files = {
        p.relative_to(world_root): p.read_bytes() for p in world_root.rglob("*") if p.is_file()
    }
    write_formats(world_root, FORMATS)
    again = {
        p.relative_to(world_root): p.read_bytes() for p in world_root.rglob("*") if p.is_file()
    }
    assert again == files


def test_unknown_format_and_folder_without_a_dataset_raise(tmp_path):
    with pytest.raises(ValueError, match=r"format must be 'all', 'refcoco\+', .* got 'refcoco3'"):
        parse_formats("refzom,refcoco3")
    with pytest.raises(FileNotFoundError, match="does not contain a generated dataset"):
        WorldAnnotations.read(tmp_path)


def test_refcoco_plus_has_no_location_words(read, world):
    splits = {"train": "train", "val": "val", "testA": "test", "testB": "test"}
    for split, source in splits.items():
        found = facts(read(RefCOCODataset, ann_root="refcoco+", split=split))
        assert found <= world_facts(world, of_split(world, source, single=True))
        assert not [text for *_, text in found if re.search(r"\b(left|right|top)\b", text)]


@pytest.mark.parametrize("split", ["train", "val", "test"])
@pytest.mark.parametrize(
    ("folder", "split_by"), [("refcocog", "umd"), ("refclef", "berkeley"), ("refcoco", "unc")]
)
def test_refs_with_a_single_target(read, world, folder, split_by, split):
    dataset = read(RefCOCODataset, ann_root=folder, split_by=split_by, split=split)
    assert facts(dataset) == world_facts(world, of_split(world, split, single=True))


def test_refcocog_google_splits_by_objects_and_shares_images(read, world):
    train, val = (
        facts(read(RefCOCODataset, ann_root="refcocog", split_by="google", split=split))
        for split in ("train", "val")
    )
    assert train | val == world_facts(world, world.single_refs())
    assert not train & val
    assert {image for image, *_ in train} & {image for image, *_ in val}


def test_refclef_has_refs_in_two_test_splits_and_masks_as_lists_of_rle(read, world):
    tests = {
        split: facts(read(RefCOCODataset, ann_root="refclef", split=split))
        for split in ("testA", "testB", "testC")
    }
    assert tests["testC"] and tests["testC"] < tests["testB"]
    assert tests["testA"] | tests["testB"] == world_facts(
        world, of_split(world, "test", single=True)
    )
    record = records(read(RefCOCODataset, ann_root="refclef", split="train"))[0]
    assert set(record["targets"][0]["segmentation"]) == {"size", "counts"}


def test_all_forms_of_masks_are_read_as_the_same_mask(read, world):
    forms = set()
    for record in records(read(GRefCOCODataset, ann_root="grefcoco-odd", split="train")):
        size = (record["height"], record["width"])
        for target in record["targets"]:
            said = world.annotations[target["ann_id"]]["segmentation"]
            pair = [segmentation_to_rle(s, size) for s in (target["segmentation"], said)]
            assert rle_iou(pair[:1], pair[1:])[0, 0] == 1.0
            forms.add(type(target["segmentation"]))
    assert forms == {list, dict}


def test_grefcoco_pickle_with_unc_splits(read, world):
    found = [
        facts(read(GRefCOCODataset, ann_root="grefcoco-odd", split=split))
        for split in ("train", "val", "testA", "testB")
    ]
    assert found[0] == world_facts(world, of_split(world, "train"))
    assert found[1] == world_facts(world, of_split(world, "val"))
    assert found[2] | found[3] == world_facts(world, of_split(world, "test"))
    assert any(not targets for _, targets, _ in found[0])


@pytest.mark.parametrize("split", ["train", "test"])
def test_refzom_sources_are_zero_one_and_many(read, world, split):
    dataset = read(RefZOMDataset, ann_root="ref-zom", split=split)
    assert facts(dataset) == world_facts(world, of_split(world, split))
    kinds = {record["source"]: len(record["targets"]) for record in records(dataset)}
    assert set(kinds) == {"zero", "one", "many"}
    assert (kinds["zero"], kinds["one"]) == (0, 1)


@pytest.mark.parametrize(
    ("folder", "split_by"), [("rrefcoco", "unc"), ("rrefcoco+", "unc"), ("rrefcocog", "umd")]
)
def test_rrefcoco_groups_positive_and_negative_sentences(read, world, folder, split_by):
    dataset = read(RRefCOCODataset, ann_root=folder, split_by=split_by, split="val")
    found = facts(dataset)
    true = {fact for fact in found if fact[1]}
    assert true == world_facts(world, of_split(world, "val", single=True))
    negative = world_facts(world, [ref for ref in of_split(world, "val") if ref["no_target"]])
    assert found - true and found - true <= negative
    of_group = [
        (record["sample_id"].rpartition("_")[0], bool(record["targets"]))
        for record in records(dataset)
    ]
    assert {group for group, exists in of_group if not exists} <= {
        group for group, exists in of_group if exists
    }


@pytest.mark.parametrize("folder", ["fprefcoco", "fprefcoco+", "fprefcocog"])
def test_fprefcoco_corrects_false_premises(read, world, folder):
    dataset = read(FPRefCOCODataset, ann_root=folder, split="train")
    true = {
        (fact[0], fact[2]) for fact in world_facts(world, of_split(world, "train", single=True))
    }
    corrected = 0
    for record in records(dataset):
        assert bool(record["targets"]) == (record["correction"] is None)
        if record["correction"] is not None:
            image = Path(record["img_path"]).name
            said = {text.rstrip(".") for name, text in true if name == image}
            assert record["correction"] in said
            corrected += 1
    assert corrected


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_reasonseg_has_target_and_ignored_regions(read, world, split):
    folder = "reason_seg/ReasonSeg"
    found = records(read(ReasonSegDataset, ann_root=folder, split=split, group_by="ref"))
    of_image = {}
    for ref in of_split(world, split):
        of_image.setdefault(world.images[ref["image_id"]]["file_name"], []).append(ref)
    for record in found:
        size = (record["height"], record["width"])
        masks = [
            merge_rles(
                [segmentation_to_rle(t["segmentation"], size) for t in world.targets(ref)], size
            )
            for ref in of_image[Path(record["img_path"]).name]
        ]
        painted = segmentation_to_rle(record["targets"][0]["segmentation"], size)
        # Polygons are rounded to whole pixels and outlined, so a border of pixels is uncertain.
        assert rle_iou([painted], masks).max() > 0.8
    assert {kind for record in found for kind in record["query_kinds"]} == {"short", "long"}
    assert any("ignore_mask_ori" in record for record in found)
    assert any("caf\u00e9" in text for record in found for text in record["expressions"])


def test_reasonseg_has_false_premises_and_explanations(read):
    options = {"ann_root": "reason_seg/ReasonSeg", "split": "train", "group_by": "ref"}
    found = records(read(ReasonSegDataset, **options, false_premises=True))
    assert any("explanation" in record for record in found)
    assert any(correction for record in found for correction in record["corrections"])


@pytest.mark.parametrize(
    ("split", "source"),
    [
        ("train", "train"),
        ("val_refcoco_unc", "val"),
        ("val_refcocoplus_unc", "val"),
        ("test_refcocog_umd", "test"),
    ],
)
def test_instancevg_mixed_seg(read, world, split, source):
    folder = "seqtr_type/annotations/mixed-seg"
    found = facts(read(InstanceVGJsonDataset, ann_root=folder, split=split))
    assert found == world_facts(world, of_split(world, source, single=True))


@pytest.mark.parametrize(
    ("folder", "split", "source"),
    [("grefs", "train", "train"), ("grefs", "val", "val"), ("ref-zom", "test", "test")],
)
def test_instancevg_with_any_number_of_targets(read, world, folder, split, source):
    folder = f"seqtr_type/annotations/{folder}"
    found = facts(read(InstanceVGJsonDataset, ann_root=folder, split=split))
    assert found == world_facts(world, of_split(world, source))


def test_instancevg_rrefcoco_groups_the_items_of_a_ref(read, world):
    folder = "seqtr_type/annotations/rrefcoco"
    dataset = read(InstanceVGJsonDataset, ann_root=folder, split="val_rrefcoco")
    found = facts(dataset)
    assert {fact for fact in found if fact[1]} == world_facts(
        world, of_split(world, "val", single=True)
    )
    groups = {}
    for record in records(dataset):
        group = record["sample_id"].rpartition("_")[0]
        groups.setdefault(group, set()).add(bool(record["targets"]))
    assert len(groups) == len(of_split(world, "val", single=True))
    assert {True, False} in groups.values()
    train = read(InstanceVGJsonDataset, ann_root=folder, split="train", group_by="ref")
    assert any([] in record.get("expression_targets", ()) for record in records(train))


LISTS = {
    "unc": {"train": ("train",), "trainval": ("train", "val"), "val": ("val",)},
    "unc+": {"val": ("val",)},
    "gref_umd": {"test": ("test",)},
    "gref": {"val": ("val",)},
    "referit": {"trainval": ("train", "val"), "test": ("test",)},
    "mixed_coco": {"train": ("train",)},
}


@pytest.mark.parametrize(
    ("name", "split"), [(name, split) for name, splits in LISTS.items() for split in splits]
)
def test_eevg_lists_of_coco(read, world, name, split):
    dataset = read(EEVGListDataset, ann_root="mask_data", name=name, split=split)
    assert facts(dataset) == world_facts(world, of_split(world, *LISTS[name][split], single=True))


def test_eevg_lists_of_flickr_and_visual_genome_have_only_boxes(read, world):
    roots = {
        "coco": "images",
        "flickr": "image_data/flickr30k",
        "vg": "image_data/visual-genome",
    }
    mixed = read(
        EEVGListDataset,
        ann_root="mask_data",
        name="mixed_pretrain",
        split="val",
        image_root=roots,
    )
    expected = world_facts(world, of_split(world, "val", single=True))
    assert facts(mixed) == expected
    by_root = {
        root: [r for r in records(mixed) if root in r["img_path"]] for root in roots.values()
    }
    assert all(r["targets"][0]["segmentation"] is None for r in by_root[roots["vg"]])
    assert all(r["targets"][0]["segmentation"] is None for r in by_root[roots["flickr"]])
    assert by_root[roots["vg"]] and by_root[roots["flickr"]]
    flickr = read(
        EEVGListDataset,
        ann_root="mask_data",
        name="flickr",
        split="val",
        image_root="image_data/Flickr30k/flickr30k_images",
    )
    assert facts(flickr) == expected


@pytest.fixture(scope="module")
def conversations(read):
    """Read a file of conversations."""

    def build(name, part):
        masks = {
            "refcoco": "refcoco/instances.json",
            "paco_lvis": f"paco/paco_lvis_v1_{part}.json",
        }
        options = {"ann_root": "segllm", "ann_file": f"{name}.json", "image_root": ""}
        return records(read(SegLLMConversationDataset, split=part, masks=masks, **options))

    return build


@pytest.mark.parametrize("part", ["train", "val"])
def test_later_rounds_refer_to_earlier_ones(conversations, world, part):
    relational = 0
    for record in conversations(f"mr_refcoco_{part}", part):
        rounds = zip(
            record["expressions"], record["relations"], record["reference_rounds"], strict=True
        )
        for number, (question, relation, earlier) in enumerate(rounds):
            assert question.startswith("Segment ")
            if relation == "relational":
                assert earlier == [int(re.search(r"instance (\d+)\.$", question)[1]) - 1]
                assert earlier[0] < number
                relational += 1
            else:
                assert not earlier
        asked = [positions[0] for positions in record["expression_targets"]]
        assert len(set(asked)) == len(asked)
    assert relational


def test_relation_identifies_one_object(conversations, world):
    """Exactly one object of the category is on that side of the reference."""
    inside = {
        "to the right of": lambda dx, dy: dx > 2 * abs(dy),
        "to the left of": lambda dx, dy: -dx > 2 * abs(dy),
        "below": lambda dx, dy: dy > 2 * abs(dx),
        "above": lambda dx, dy: -dy > 2 * abs(dx),
    }
    for record in conversations("mr_refcoco_hard_train", "train"):
        question, cue = record["expressions"][0], record["targets"][record["references"][0][0]]
        target = record["targets"][record["expression_targets"][0][0]]
        word, side = re.fullmatch(r"Segment the (\w+) (.+) this one\.", question).groups()
        assert world.category_name(world.annotations[target["ann_id"]]) == word
        assert inside[side](*(a - b for a, b in zip(*map(_center, (target, cue)), strict=True)))
        assert record["reference_rounds"] == [[None]]


def _center(target):
    x, y, w, h = target["bbox"]
    return x + w / 2, y + h / 2


def test_union_of_the_parts_is_the_whole(conversations):
    for record in conversations("mr_paco_val", "val"):
        size = (record["height"], record["width"])
        rles = [segmentation_to_rle(t["segmentation"], size) for t in record["targets"]]
        asked = [rles[positions[0]] for positions in record["expression_targets"]]
        assert record["relations"][:3] == ["none", "hierarchical", "hierarchical"]
        whole, *halves = asked[:3]
        assert rle_iou([merge_rles(halves, size)], [whole])[0, 0] == 1.0
        assert rle_areas(halves).sum() == rle_areas([whole])[0]


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_own_data(read, world, split):
    expected = world_facts(world, of_split(world, split))
    coco = read(COCOExpressionsDataset, ann_root="own", ann_file="instances.json", split=split)
    assert facts(coco) == expected
    lines = read(JSONLinesDataset, ann_root="own", split=split)
    # Boxes computed from masks have whole pixels, so only the number of targets is compared.
    assert {(i, len(b), t) for i, b, t in facts(lines)} == {(i, len(b), t) for i, b, t in expected}
