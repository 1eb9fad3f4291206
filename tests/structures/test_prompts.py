import pytest

from vgtoolbox.structures import IMAGE_MARK
from vgtoolbox.structures.prompts import REFERRING_PROMPTS, plain


@pytest.mark.parametrize(
    "text", ["<image> dog", "<IMAGE>", "<<image>>", "<im<image>age>", "a<image>"]
)
def test_an_expression_never_adds_an_image(text):
    assert IMAGE_MARK not in plain(text)
    for prompts in REFERRING_PROMPTS.values():
        for index in range(len(prompts.questions)):
            assert prompts.question([text, "dog"], index).count(IMAGE_MARK) == 1


def test_braces_of_an_expression_stay():
    question = REFERRING_PROMPTS["mllmseg"].question(["{expressions} {0}"], 1)
    assert question == "<image>\nCan you segment {expressions} {0} in this image?"
