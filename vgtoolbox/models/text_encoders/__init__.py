"""Text encoders: extract features from token ids."""

from vgtoolbox.models.text_encoders.bert import BertTextEncoder

__all__ = ["BertTextEncoder"]
