import pytest
import torch

from vgtoolbox.deployment.profiling.workload import (
    EXPRESSION,
    WordTokenizer,
    load_for_measurement,
    make_batch,
    make_inputs,
)


@pytest.fixture(scope="module")
def loaded(miniature_config):
    return load_for_measurement(miniature_config, None)[0]


def test_a_batch_comes_through_the_pipeline_of_the_config(loaded):
    batch = make_batch(loaded, 3)
    assert batch["inputs"]["images"].dtype == torch.uint8
    assert batch["inputs"]["images"].shape == (3, 3, 32, 32)
    assert not batch["inputs"]["text_padding_mask"].all()
    # The box covers the middle half of the picture, and of the square that it is resized to.
    boxes = batch["data_samples"][0].gt_instances.boxes_xyxy
    assert boxes[0].tolist() == pytest.approx([8.0, 8.0, 24.0, 24.0])


def test_pictures_differ_and_come_again(loaded):
    first, again = (make_batch(loaded, 2)["inputs"]["images"] for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first[0], first[1])


def test_inputs_are_what_the_model_reads(loaded):
    inputs = make_inputs(loaded, 2)
    assert inputs["images"].dtype == torch.float32
    assert loaded.model.tensor(inputs).boxes_cxcywh.shape == (3, 2, 3, 4)


def test_an_empty_batch(loaded):
    with pytest.raises(ValueError, match="batch_size must be 1 or more, got 0"):
        make_batch(loaded, 0)


def test_a_tokenizer_that_is_there_is_used(miniature_config):
    _, missing = load_for_measurement(miniature_config, None)
    assert missing == []


def test_a_missing_tokenizer_gives_one_token_a_word(miniature_config):
    key = "val_dataloader.dataset.pipeline.tokenize.tokenizer.model_file"
    loaded, missing = load_for_measurement(miniature_config, None, {key: "nowhere.spm"})
    assert missing == ["nowhere.spm"]
    padding = make_batch(loaded, 1)["inputs"]["text_padding_mask"]
    assert int((~padding).sum()) == len(EXPRESSION.split()) + 2  # and beginning and end


def test_word_tokenizer():
    token_ids, padding = WordTokenizer()("two red dogs", 8)
    assert token_ids.tolist() == [0, 7, 7, 8, 2, 1, 1, 1]
    assert padding.tolist() == [False] * 5 + [True] * 3
    assert WordTokenizer().decode(token_ids) == "word word word"
