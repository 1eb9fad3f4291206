import io

from rich.console import Console

from vgtoolbox.shapes.statistics import describe_grefs, statistics_table


def gref(split: str, ann_ids: list[int], *sentences: tuple[int, str]) -> dict:
    return {
        "image_id": 1,
        "split": split,
        "ann_id": ann_ids,
        "no_target": ann_ids == [-1],
        "sentences": [
            {"sent_id": sent_id, "sent": text, "tokens": text.split()}
            for sent_id, text in sentences
        ],
    }


def test_statistics_count_sentences_by_split() -> None:
    grefs = [
        gref("train", [4], (0, "red dot"), (1, "the red dot")),
        gref("train", [4, 5], (2, "red dots")),
        gref("train", [-1], (3, "red dot")),
        gref("val", [-1], (4, "dot")),
    ]
    families = {0: "attribute", 1: "attribute", 2: "count", 3: "count", 4: "count"}
    found = describe_grefs(grefs, families)
    train = found["train"]
    assert (train["refs"], train["sentences"], train["images"]) == (3, 4, 1)
    assert train["single_target_percent"] == 50
    assert train["multi_target_percent"] == train["no_target_percent"] == 25
    assert (train["words_mean"], train["words_max"]) == (2.25, 3)
    assert train["distinct_sentences"] == 3
    assert train["vocabulary"] == {"red": 4, "dot": 3, "the": 1, "dots": 1}
    assert train["families"]["count"] == {"percent": 50, "no_target_percent": 50}
    assert found["val"]["no_target_percent"] == 100
    world = {"scale": "tiny", "seed": 7}
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(statistics_table({"world": world, "splits": found}))
    text = console.export_text()
    assert "seed 7" in text
    assert "50.0 (50)" in text
