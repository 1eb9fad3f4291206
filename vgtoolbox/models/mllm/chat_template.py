"""Chat formats as data, and the conversion of conversations to token ids and labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from vgtoolbox.models.mllm.packing import IGNORE, TokenSequence
from vgtoolbox.utils.choices import check_choice
from vgtoolbox.utils.templates import fill_template


class ChatTokenizer(Protocol):
    """Interface of the chat tokenizers in `datasets.tokenizers`."""

    bos_id: int | None
    eos_id: int
    pad_id: int

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text."""
        ...

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the text of ids."""
        ...

    def token_id(self, token: str) -> int:
        """Return the id of a special token."""
        ...


@dataclass(frozen=True)
class ChatTemplate:
    """Format in which a language model expects a conversation.

    A conversation consists of `system`, and for each turn of `user` and the answer between
    `answer_start` and `answer_end`. These segments are tokenized one by one.

    Attributes:
        system: Segment of the system; empty if there is none.
        user: Segment of the user, with `{text}`.
        first_user: Segment of the user in the first turn. If empty, `user`.
        answer_start: Text before the answer, in the same segment; never trained. A blank at its end
            belongs to the first token of the answer.
        answer_end: Special token after the answer, in the same segment; trained.
        after_answer: Segment after that token; never trained.
    """

    system: str
    user: str
    answer_start: str
    answer_end: str
    after_answer: str = ""
    first_user: str = ""

    def encode(self, turns: Sequence[tuple[str, str]], tokenizer: ChatTokenizer) -> TokenSequence:
        """Tokenize a conversation of (question, answer) turns, whose answers are labeled.

        Args:
            turns: Questions, in which images are written as image tokens, and their answers.
            tokenizer: Tokenizer of the language model.
        """
        parts = [self._untrained(self.system, tokenizer)] if self.system else []
        for i, (question, answer) in enumerate(turns):
            parts.append(self._untrained(self._user(question, is_first=i == 0), tokenizer))
            parts.append(self._answer(answer, tokenizer))
        return joined(parts, tokenizer.bos_id)

    def encode_question(self, question: str, tokenizer: ChatTokenizer) -> TokenSequence:
        """Tokenize a question up to the start of its answer."""
        start = self.answer_start.rstrip(" ")
        texts = [self.system, self._user(question, is_first=True), start]
        parts = [self._untrained(text, tokenizer) for text in texts if text]
        return joined(parts, tokenizer.bos_id)

    def _user(self, question: str, *, is_first: bool) -> str:
        segment = self.first_user if is_first and self.first_user else self.user
        return fill_template(segment, text=question)

    def _untrained(self, text: str, tokenizer: ChatTokenizer) -> TokenSequence:
        ids = tuple(tokenizer.encode(text))
        return TokenSequence(ids, (IGNORE,) * len(ids))

    def _answer(self, text: str, tokenizer: ChatTokenizer) -> TokenSequence:
        ids = tuple(tokenizer.encode(self.answer_start + text + self.answer_end))
        # A blank at the end belongs to the first token of the answer.
        start = len(tokenizer.encode(self.answer_start.rstrip(" "))) if self.answer_start else 0
        labels = tuple(t if i >= start else IGNORE for i, t in enumerate(ids))
        return joined([TokenSequence(ids, labels), self._untrained(self.after_answer, tokenizer)])


def joined(parts: Sequence[TokenSequence], bos_id: int | None = None) -> TokenSequence:
    """Concatenate segments.

    Args:
        parts: Segments.
        bos_id: Id of the token that marks the beginning. If `None`, there is no such token.
    """
    begin = () if bos_id is None else (bos_id,)
    ids = (*begin, *(i for part in parts for i in part.token_ids))
    labels = (IGNORE,) * len(begin) + tuple(i for part in parts for i in part.labels)
    return TokenSequence(ids, labels)


_INTERNVL_SYSTEM = (
    "你是书生·万象，英文名是InternVL，"  # noqa: RUF001
    "是由上海人工智能实验室、清华大学及多家合作单位联合开发的多模态大语言模型。"
)
_VICUNA_SYSTEM = (
    "A chat between a curious {who} and an artificial intelligence assistant. The assistant gives "
    "helpful, detailed, and polite answers to the {who}'s questions."
)
_LLAMA_2_SYSTEM = (
    "You are a helpful language and vision assistant. You are able to understand the visual "
    "content that the user provides, and assist the user with a variety of tasks using natural "
    "language."
)


def _vicuna(who: str) -> ChatTemplate:
    """Return the format of Vicuna 1.1, whose segments are separated by one blank each."""
    return ChatTemplate(
        system=_VICUNA_SYSTEM.format(who=who),
        user="USER: {text}",
        answer_start="ASSISTANT: ",
        answer_end="</s>",
    )


CHAT_TEMPLATES: dict[str, ChatTemplate] = {
    "internvl2_5": ChatTemplate(
        system=f"<|im_start|>system\n{_INTERNVL_SYSTEM}<|im_end|>\n",
        user="<|im_start|>user\n{text}<|im_end|>\n",
        answer_start="<|im_start|>assistant\n",
        answer_end="<|im_end|>",
        after_answer="\n",
    ),
    "internlm2": ChatTemplate(
        system=f"<|im_start|>system\n{_INTERNVL_SYSTEM}<|im_end|>",
        user="<|im_start|>user\n{text}<|im_end|>",
        answer_start="<|im_start|>assistant\n",
        answer_end="<|im_end|>",
    ),
    "llava_v1": _vicuna("human"),
    "vicuna_v1": _vicuna("user"),
    "llava_llama_2": ChatTemplate(
        system="",
        first_user=f"[INST] <<SYS>>\n{_LLAMA_2_SYSTEM}\n<</SYS>>\n\n{{text}} [/INST]",
        user="<s>[INST] {text} [/INST]",
        answer_start="",
        answer_end=" </s>",
    ),
    "plain": ChatTemplate(system="", user="{text}", answer_start="", answer_end="</s>"),
}
"""Chat formats by name; "plain" has no markers, for models that are trained from scratch."""


def chat_template(chat: str | dict[str, Any]) -> ChatTemplate:
    """Return the chat format of a name, or build one from its fields.

    Args:
        chat: Name in `CHAT_TEMPLATES`, or the fields of a `ChatTemplate`.

    Raises:
        ValueError: The name is unknown.
    """
    if isinstance(chat, str):
        check_choice("chat", chat, CHAT_TEMPLATES)
        return CHAT_TEMPLATES[chat]
    return ChatTemplate(**chat)
