"""Text encoders: token ids to features."""

from vgtoolbox.models.text_encoders.bert import BertTextEncoder

__all__ = ["BertTextEncoder"]
