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


def test_batch_is_made_by_the_pipeline_of_the_config(loaded):
    batch = make_batch(loaded, 3)
    assert batch["inputs"]["images"].dtype == torch.uint8
    assert batch["inputs"]["images"].shape == (3, 3, 32, 32)
    assert not batch["inputs"]["text_padding_mask"].all()
    # The box covers the middle half of the image, and of the square that it is resized to.
    boxes = batch["data_samples"][0].gt_instances.boxes_xyxy
    assert boxes[0].tolist() == pytest.approx([8.0, 8.0, 24.0, 24.0])


def test_images_differ_within_a_batch_and_are_repeatable(loaded):
    first, second = (make_batch(loaded, 2)["inputs"]["images"] for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first[0], first[1])


def test_inputs_are_accepted_by_tensor_mode(loaded):
    inputs = make_inputs(loaded, 2)
    assert inputs["images"].dtype == torch.float32
    assert loaded.model.tensor(inputs).boxes_cxcywh.shape == (3, 2, 3, 4)


def test_empty_batch(loaded):
    with pytest.raises(ValueError, match="batch_size must be 1 or more, got 0"):
        make_batch(loaded, 0)


def test_existing_tokenizer_is_used(miniature_config):
    _, missing = load_for_measurement(miniature_config, None)
    assert missing == []


def test_missing_tokenizer_is_replaced_by_one_token_per_word(miniature_config):
    key = "val_dataloader.dataset.pipeline.tokenize.tokenizer.model_file"
    loaded, missing = load_for_measurement(miniature_config, None, {key: "nowhere.spm"})
    assert missing == ["nowhere.spm"]
    padding = make_batch(loaded, 1)["inputs"]["text_padding_mask"]
    assert int((~padding).sum()) == len(EXPRESSION.split()) + 2  # plus begin and end tokens


def test_word_tokenizer():
    token_ids, padding = WordTokenizer()("two red dogs", 8)
    assert token_ids.tolist() == [0, 7, 7, 8, 2, 1, 1, 1]
    assert padding.tolist() == [False] * 5 + [True] * 3
    assert WordTokenizer().decode(token_ids) == "word word word"
