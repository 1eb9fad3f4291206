"""docs/own_data.md: its files are written and its commands run, unchanged and in order."""

import json

import pytest


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_from_photographs_to_answers(blocks_of, checkout, write_files, run_commands):
    for block in blocks_of("own_data.md"):
        language, text = block
        if language == "bash":
            run_commands(text)
        else:
            assert write_files([block]), f"a block that is not a file:\n{text}"
    mine = checkout / "mine"
    assert "splits" in json.loads((mine / "report" / "metrics.json").read_text())
    assert len(list((mine / "found").glob("*.png"))) == 2
    assert len(json.loads((mine / "all" / "coco.json").read_text())["images"]) == 20
    assert len(list((mine / "run").rglob("val-*.png"))) == 8  # four an epoch
