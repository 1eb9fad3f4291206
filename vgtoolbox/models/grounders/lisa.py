"""LISA: a LLaVA whose [SEG] token prompts SAM (arXiv 2308.00692)."""

from __future__ import annotations

from vgtoolbox.models.grounders.sam_token_grounder import (
    PreparedImages,
    SAMTokenGrounder,
    TokenPrompts,
)
from vgtoolbox.models.mllm import TokenStates
from vgtoolbox.registry import MODELS


@MODELS.register_module()
class LISA(SAMTokenGrounder):
    """Grounder that prompts SAM with the projected state of [SEG] alone."""

    def make_prompts(self, prepared: PreparedImages, tokens: TokenStates) -> TokenPrompts:
        """Encode the projected states of N tokens as one text token each."""
        text = self.query_proj(tokens.states)[:, None]
        return TokenPrompts(self.prompt_encoder(text), tokens.states)
