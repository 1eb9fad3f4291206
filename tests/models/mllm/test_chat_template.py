import pytest

from vgtoolbox.datasets import SentencePieceChatTokenizer
from vgtoolbox.models.mllm import CHAT_TEMPLATES, IGNORE
from vgtoolbox.models.mllm.chat_template import chat_template
from vgtoolbox.structures import REFERRING_PROMPTS, ReferringPrompts, plain

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
    prompts = REFERRING_PROMPTS["mllmseg"]
    assert prompts.question(map(str, expressions)) == (
        "<image>\n What are red circle, left manin this image? Please output segmentation masks."
    )
    assert (
        REFERRING_PROMPTS["mllmseg"].answer(["a", "b"], ["[SEG]", "[REJ]"])
        == "Sure,a:[SEG], b:[REJ]."
    )
    assert (
        REFERRING_PROMPTS["mllmseg"].answer(["A b"], ["[SEG]"], 3)
        == "Sure, the mask of A b is [SEG]."
    )


def test_custom_wording():
    prompts = ReferringPrompts(questions=("{expressions}?",), answers=(("", "{token}"),), end="")
    assert prompts.question(["x", "y"]) == "x, y?"
    assert prompts.answer(["x"], ["T"]) == "T"
    assert plain("  The Dog. ") == "the dog"


def test_unknown_format():
    with pytest.raises(ValueError, match=r"chat must be .internvl2_5., "):
        chat_template("vicuna")
    assert chat_template({"system": "", "user": "{text}", "answer_start": "", "answer_end": ""})


LLAMA_TOKENS = {
    "<unk>": 0,
    "<s>": 1,
    "</s>": 2,
    "<image>": -200,
    "[SEG]": 32000,
    "[REJ]": 32001,
    "<im_start>": 32002,
    "<im_end>": 32003,
}
RECORDED_START = """1 319 13563 1546 263 12758 5199 322 385 23116 21082 20255 29889 450 20255 4076
    8444 29892 13173 29892 322 1248 568 6089 304 278 5199 29915 29879 5155 29889 3148 1001 29901
    32002 -200 32003"""
"""Ids of the published LISA family up to the image, recorded with transformers 4.31."""
RECORDED = [
    (
        "\nCan you segment the red ball in this image?",
        "1815 366 10768 278 2654 8287 297 445 1967 29973 319 1799 9047 13566 29901",
        "Sure, it is [SEG].",
        "18585 29892 372 338 32000 869 2",
    ),
    (
        "\n What is the dog in this image? Please output segmentation mask.",
        "1724 338 278 11203 297 445 1967 29973 3529 1962 10768 362 11105 29889 319 1799 9047 13566 "
        "29901",
        "[SEG].",
        "32000 869 2",
    ),
    (
        "\n What are dog, catin this image? Please output segmentation masks.",
        "1724 526 11203 29892 6635 262 445 1967 29973 3529 1962 10768 362 11105 29879 29889 319 "
        "1799 9047 13566 29901",
        "Sure,dog:[SEG], cat:[REJ].",
        "18585 29892 26169 29901 32000 1919 6635 29901 32001 869 2",
    ),
]


@pytest.mark.parametrize(("question", "question_ids", "answer", "answer_ids"), RECORDED)
def test_ids_and_labels_of_the_published_lisa_family(
    real_data, question, question_ids, answer, answer_ids
):
    tokenizer = SentencePieceChatTokenizer(
        model_file=real_data / "tokenizer" / "llama-32000.model",
        special_tokens=LLAMA_TOKENS,
        stripped_tokens=["[SEG]", "[REJ]", "<im_start>", "<im_end>"],
    )
    question = f"<im_start><image><im_end>{question}"
    asked = tuple(map(int, f"{RECORDED_START} {question_ids}".split()))
    answered = tuple(map(int, answer_ids.split()))
    chat = CHAT_TEMPLATES["llava_v1"]
    encoded = chat.encode([(question, answer)], tokenizer)
    assert encoded.token_ids == asked + answered
    assert encoded.labels == (IGNORE,) * len(asked) + answered
    assert chat.encode_question(question, tokenizer).token_ids == asked
    # Every round is trained, including the token that ends its answer.
    rounds = chat.encode([(question, answer), ("What else?", "Nothing.")], tokenizer)
    assert rounds.labels[: len(encoded)] == encoded.labels
    assert rounds.labels[-1] == tokenizer.eos_id
    assert rounds.token_ids[len(encoded) :][:3] == (3148, 1001, 29901)  # USER:
