import pytest

from vgtoolbox.datasets import SentencePieceChatTokenizer
from vgtoolbox.models.grounders.mllmseg import PROMPTS
from vgtoolbox.models.mllm import CHAT_TEMPLATES, IGNORE, ReferringPrompts, plain
from vgtoolbox.models.mllm.chat_template import chat_template

SPECIAL = ["<|im_start|>", "<|im_end|>", "[SEG]", "[REJ]"]


@pytest.fixture
def tokenizer(tokenizer_file):
    return SentencePieceChatTokenizer(model_file=tokenizer_file, special_tokens=SPECIAL)


def test_only_the_answer_is_trained(tokenizer):
    chat = CHAT_TEMPLATES["internvl2_5"]
    encoded = chat.encode([("the circle", "red [SEG]")], tokenizer)
    trained = [
        t for t, label in zip(encoded.token_ids, encoded.labels, strict=True) if label != IGNORE
    ]
    end = tokenizer.token_id("<|im_end|>")
    assert trained[-1] == end
    assert tokenizer.token_id("[SEG]") in trained
    assert tokenizer.decode(trained[:-1]).strip().endswith("red[SEG]")
    assert encoded.token_ids.count(end) == 3
    assert all(
        label in (IGNORE, t) for t, label in zip(encoded.token_ids, encoded.labels, strict=True)
    )


def test_a_question_is_the_beginning_of_its_conversation(tokenizer):
    for chat in CHAT_TEMPLATES.values():
        whole = chat.encode([("a square", "[SEG]")], tokenizer)
        question = chat.encode_question("a square", tokenizer)
        assert whole.token_ids[: len(question)] == question.token_ids
        assert set(question.labels) == {IGNORE}


def test_the_bos_token_occurs_once(tokenizer):
    encoded = CHAT_TEMPLATES["plain"].encode([("red", "[SEG]"), ("left", "[SEG]")], tokenizer)
    assert encoded.token_ids.count(tokenizer.bos_id) == 1
    assert encoded.token_ids[0] == tokenizer.bos_id
    assert encoded.token_ids.count(tokenizer.token_id("[SEG]")) == 2


def test_published_wording():
    expressions = ["Red circle.", "left Man"]
    assert PROMPTS.question(map(str, expressions)) == (
        "<image>\n What are red circle, left manin this image? Please output segmentation masks."
    )
    assert PROMPTS.answer(["a", "b"], ["[SEG]", "[REJ]"]) == "Sure,a:[SEG], b:[REJ]."
    assert PROMPTS.answer(["A b"], ["[SEG]"], 3) == "Sure, the mask of A b is [SEG]."


def test_custom_wording():
    prompts = ReferringPrompts(questions=("{expressions}?",), answers=(("", "{token}"),), end="")
    assert prompts.question(["x", "y"]) == "x, y?"
    assert prompts.answer(["x"], ["T"]) == "T"
    assert plain("  The Dog. ") == "the dog"


def test_unknown_format():
    with pytest.raises(ValueError, match=r"chat must be .internvl2_5., "):
        chat_template("vicuna")
    assert chat_template({"system": "", "user": "{text}", "answer_start": "", "answer_end": ""})
