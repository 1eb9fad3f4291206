"""Tokenizers of expressions and of chats with language models."""

from vgtoolbox.datasets.tokenizers.added_tokens import read_added_tokens
from vgtoolbox.datasets.tokenizers.chat import (
    HuggingFaceChatTokenizer,
    SentencePieceChatTokenizer,
    UnknownTokenError,
)
from vgtoolbox.datasets.tokenizers.expression import (
    BEiT3Tokenizer,
    BertTokenizer,
    ExpressionTokenizer,
)

__all__ = [
    "BEiT3Tokenizer",
    "BertTokenizer",
    "ExpressionTokenizer",
    "HuggingFaceChatTokenizer",
    "SentencePieceChatTokenizer",
    "UnknownTokenError",
    "read_added_tokens",
]
