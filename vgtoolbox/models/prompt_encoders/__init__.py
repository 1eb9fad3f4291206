"""Prompt encoders: turn points, masks and tokens into prompts of a mask decoder."""

from vgtoolbox.models.prompt_encoders.sam_prompt_encoder import SAMPromptEncoder, SAMPrompts

__all__ = ["SAMPromptEncoder", "SAMPrompts"]
