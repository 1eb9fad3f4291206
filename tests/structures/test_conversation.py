import pytest

from vgtoolbox.structures import Conversation, Turn


def test_marks_of_all_answers_refer_to_targets_in_order():
    turns = (Turn("<image> a, b", "a [SEG], b [REJ]."), Turn("and c", "c [SEG]"))
    assert Conversation(turns, ((0, 2), (), (1,))).targets == ((0, 2), (), (1,))
    assert Conversation((Turn("<image> why", "because"),)).targets == ()


@pytest.mark.parametrize(
    ("question", "answer", "targets", "message"),
    [
        ("the [SEG]", "[SEG]", ((0,),), r"questions must not contain \[SEG\]"),
        ("a", "[SEG] [SEG]", ((0,),), "for each of the 1 targets, got 2"),
        ("a", "nothing", ((0,),), "for each of the 1 targets, got 0"),
        ("a", "[SEG]", ((),), r"\[SEG\] must have targets, got \(\)"),
        ("a", "[REJ]", ((1,),), r"\[REJ\] must not have targets, got \(1,\)"),
    ],
)
def test_inconsistent_conversations_raise(question, answer, targets, message):
    with pytest.raises(ValueError, match=message):
        Conversation((Turn(question, answer),), targets)
