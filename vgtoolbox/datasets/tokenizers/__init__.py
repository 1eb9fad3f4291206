"""Tokenizers of expressions and of chats."""
