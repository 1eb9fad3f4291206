"""READ: points of high and low similarity to [SEG] prompt SAM as well (arXiv 2412.17741)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from vgtoolbox.models.grounders.sam_token_grounder import (
    PreparedImages,
    SAMTokenGrounder,
    TokenPrompts,
)
from vgtoolbox.models.grounders.token_grounder import TargetFrame
from vgtoolbox.models.mllm import TokenStates
from vgtoolbox.models.mllm.answering import AnswerMode
from vgtoolbox.models.prompt_encoders import (
    SAMPrompts,
    min_max,
    rounded_size,
    similarity_points,
)
from vgtoolbox.registry import MODELS


@MODELS.register_module()
class READ(SAMTokenGrounder):
    """Grounder that prompts SAM with the projected state of [SEG] and with similarity points.

    Args:
        mllm: Config of the language model.
        image_encoder: Config of SAM's image encoder.
        prompt_encoder: Config of SAM's prompt encoder.
        mask_decoder: Config of SAM's mask decoder.
        mask_loss: Config of the loss of the masks.
        postprocessor: Config of the module that turns mask logits into predictions.
        num_points: Maximum number of points of a mask; 60 in UGround's code, 30 in that of READ-7B.
        positive_thr: Minimum similarity of a foreground point, in [0, 1].
        negative_thr: Maximum similarity of a background point, in [0, 1].
        down_sample: Factor by which the grid of patches is reduced before points are selected.
        prompts: Wordings of questions and answers, see `TokenGrounder`.
        answer_mode: Mode in which `predict` queries the model, see `models.mllm.answering`.
        rejects: Whether the language model can answer [REJ].
        target_frame: Frame in which masks are compared in training, see `TokenGrounder`.
        train_prompt_encoder: Whether the prompt encoder is trained.
        freeze_image_encoder: Whether SAM's image encoder keeps its weights.
        language_weight: Factor of the loss of the text.
        max_new_tokens: Maximum number of tokens of a generated answer.
        data_preprocessor: Config of the module that moves and normalizes a collated batch. If
            `None`, that of `BaseGrounder` is used.
    """

    used_prompts: ClassVar[tuple[str, ...]] = (
        "no_mask_embed",
        "point_embed.0",
        "point_embed.1",
        "not_a_point_embed",
    )

    def __init__(
        self,
        *,
        mllm: Mapping[str, Any],
        image_encoder: Mapping[str, Any],
        prompt_encoder: Mapping[str, Any],
        mask_decoder: Mapping[str, Any],
        mask_loss: Mapping[str, Any],
        postprocessor: Mapping[str, Any],
        num_points: int = 60,
        positive_thr: float = 0.8,
        negative_thr: float = 0.2,
        down_sample: int = 1,
        prompts: str | Mapping[str, Any] = "lisa",
        answer_mode: AnswerMode = "constrained",
        rejects: bool = True,
        target_frame: TargetFrame = "original",
        train_prompt_encoder: bool = True,
        freeze_image_encoder: bool = True,
        language_weight: float = 1.0,
        max_new_tokens: int = 64,
        data_preprocessor: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            mllm=mllm,
            image_encoder=image_encoder,
            prompt_encoder=prompt_encoder,
            mask_decoder=mask_decoder,
            mask_loss=mask_loss,
            postprocessor=postprocessor,
            prompts=prompts,
            answer_mode=answer_mode,
            rejects=rejects,
            target_frame=target_frame,
            train_prompt_encoder=train_prompt_encoder,
            freeze_image_encoder=freeze_image_encoder,
            language_weight=language_weight,
            max_new_tokens=max_new_tokens,
            data_preprocessor=data_preprocessor,
        )
        self.num_points = num_points
        self.positive_thr = positive_thr
        self.negative_thr = negative_thr
        self.down_sample = down_sample

    def make_prompts(self, prepared: PreparedImages, tokens: TokenStates) -> TokenPrompts:
        """Encode the projected states of N tokens, and points on their similarity maps."""
        text = self.query_proj(tokens.states)[:, None]
        similarity = prepared.similarity(tokens.states, tokens.row)
        encoded = [
            self.prompt_encoder(text[members], points=points, point_labels=labels)
            for members, points, labels in self._points(similarity, prepared, tokens)
        ]
        if not encoded:
            return TokenPrompts(self.prompt_encoder(text), tokens.states, similarity)
        return TokenPrompts(_joined(encoded), tokens.states, similarity)

    def _points(
        self, similarity: Tensor, prepared: PreparedImages, tokens: TokenStates
    ) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """Yield the tokens of each image with their points and labels.

        Points are (n, P, 2), xy in SAM's frame, and labels (n, P); an image with few cells has
        fewer points than others.
        """
        if not len(tokens):
            return
        side = prepared.grid[0] // self.down_sample
        resized = F.interpolate(
            similarity.unflatten(1, prepared.grid)[:, None], (side, side), mode="bilinear"
        )
        maps = min_max(resized.flatten(1), eps=1e-6).unflatten(1, (side, side))
        for size, members in prepared.tokens_by_image(tokens.row):
            height, width = rounded_size(size, side)
            points, labels = similarity_points(
                maps[members, :height, :width],
                self.num_points,
                positive_thr=self.positive_thr,
                negative_thr=self.negative_thr,
            )
            framed = rounded_size(size, self.prompt_encoder.image_size)
            scale = points.new_tensor([framed[1] / width, framed[0] / height])
            yield members, points * scale, labels


def _joined(encoded: Sequence[SAMPrompts]) -> SAMPrompts:
    """Concatenate prompts, whose sparse tokens are padded at the beginning to one number."""
    dense = torch.cat([each.dense for each in encoded])
    longest = max(each.sparse.shape[1] for each in encoded)
    padded = [F.pad(each.sparse, (0, 0, longest - each.sparse.shape[1], 0)) for each in encoded]
    lengths = [
        torch.full((len(each.sparse),), each.sparse.shape[1], device=dense.device)
        for each in encoded
    ]
    is_padded = any(each.sparse.shape[1] < longest for each in encoded)
    return SAMPrompts(torch.cat(padded), dense, torch.cat(lengths) if is_padded else None)
