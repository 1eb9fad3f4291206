import numpy as np
import pytest

from vgtoolbox.datasets.transforms import WriteReferringConversations
from vgtoolbox.structures import REFERRING_PROMPTS, Conversation, Turn

SAMPLED = [("The cup.", [1]), ("a dog", []), ("both", [0, 1])]
MARKS_ONLY = {"questions": ["<image>{expressions}"], "answers": [["", "{token}"]], "end": ""}


def write(seed=0, sampled=SAMPLED, kinds=None, **options):
    results = {"sampled_expressions": sampled, "rng": np.random.default_rng(seed)}
    if kinds is not None:
        results["sampled_query_kinds"] = kinds
    return WriteReferringConversations(**options)(results)["conversations"]


def test_one_conversation_about_all_expressions():
    (conversation,) = write(prompts=MARKS_ONLY)
    turn = Turn("<image>the cup, a dog, both", "[SEG], [REJ], [SEG]")
    assert conversation == Conversation((turn,), ((1,), (), (0, 1)))


def test_one_conversation_per_expression_with_the_same_question():
    conversations = write(packing="separate")
    assert [each.targets for each in conversations] == [((1,),), ((),), ((0, 1),)]
    forms = {
        each.turns[0].question.replace(name, "{expressions}")
        for each, name in zip(conversations, ["the cup", "a dog", "both"], strict=True)
    }
    assert len(forms) == 1
    assert forms <= set(REFERRING_PROMPTS["mllmseg"].questions[1:])


def test_questions_can_be_sampled_for_each_conversation():
    sampled = [(f"cup {i}", [0]) for i in range(20)]
    conversations = write(sampled=sampled, packing="separate", shared_question=False)
    forms = {
        each.turns[0].question.replace(f"cup {i}", "{expressions}")
        for i, each in enumerate(conversations)
    }
    assert forms == set(REFERRING_PROMPTS["mllmseg"].questions[1:])


def test_sentences_have_questions_of_their_own():
    sampled = [("What can be drunk?", [0]), ("The cup", [0])]
    sentence, phrase = write(
        sampled=sampled, kinds=["long", "short"], prompts="lisa", packing="separate"
    )
    prompts = REFERRING_PROMPTS["lisa"]
    question = sentence.turns[0].question.replace("What can be drunk?", "{expressions}")
    assert question in prompts.long_questions[1:]
    assert "the cup" in phrase.turns[0].question
    assert prompts.question(["The cup. "]).startswith("<image>\n What is The cup. in this image?")


def test_wordings_are_sampled_from_those_for_training_by_the_generator_of_the_sample():
    assert write(3) == write(3)
    questions = {write(seed)[0].turns[0].question for seed in range(30)}
    assert len(questions) == len(REFERRING_PROMPTS["mllmseg"].questions) - 1


def test_bad_options_and_expressions_raise():
    with pytest.raises(ValueError, match="packing must be 'joint' or 'separate'"):
        WriteReferringConversations(packing="tree")
    with pytest.raises(ValueError, match="prompts must be 'lisa' or 'mllmseg'"):
        WriteReferringConversations(prompts="poem")
    with pytest.raises(ValueError, match="a sample without id and path: answers must have one"):
        write(prompts="mllmseg", sampled=[("the [SEG]", [0])])
