"""Prompt encoders: turn points, masks and tokens into prompts of a mask decoder."""

from vgtoolbox.models.prompt_encoders.sam_prompt_encoder import SAMPromptEncoder, SAMPrompts
from vgtoolbox.models.prompt_encoders.similarity_map import (
    mask_prompts,
    min_max,
    rounded_size,
    similarity_in_image,
    similarity_points,
)

__all__ = [
    "SAMPromptEncoder",
    "SAMPrompts",
    "mask_prompts",
    "min_max",
    "rounded_size",
    "similarity_in_image",
    "similarity_points",
]
