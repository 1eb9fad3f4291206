"""MLLMSeg: InternVL with a light decoder of masks for its [SEG] token (arXiv 2508.04107)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vgtoolbox.models.grounders.token_grounder import EncodedImages, TargetFrame, TokenGrounder
from vgtoolbox.models.mllm import PackedBatch, TokenStates, image_states, states_predicting
from vgtoolbox.models.mllm.answering import AnswerMode, Reading
from vgtoolbox.registry import MODELS


@dataclass(frozen=True)
class MLLMSegOutput:
    """Raw outputs for I images with L tokens each, and their N target tokens [SEG].

    Attributes:
        patches: Output (I, h * w, C) of the last block of the vision tower.
        image_tokens: Embeddings (I, K, H) of the image tokens in the language model.
        states: Last hidden states (I, L, H).
        logits: Logits (I, L, V).
        fused: Fused map (I, h * w, C) of details and semantics.
        mask_logits: Mask logits (N, H, W) in the order of the tokens, row by row.
        target_row: Index (N,) of the image of each [SEG].
        target_position: Position (N,) of each [SEG] in its row.
    """

    patches: Tensor
    image_tokens: Tensor
    states: Tensor
    logits: Tensor
    fused: Tensor
    mask_logits: Tensor
    target_row: Tensor
    target_position: Tensor


@dataclass(frozen=True)
class FusedMaps:
    """Maps of I images that all tokens read.

    Attributes:
        fused: Fused maps (I, h * w, C) of details and semantics.
        prepared: Fused maps (I, h * w, C) after the half of the decoder that reads no token.
        grid: Height and width (h, w) of the maps.
    """

    fused: Tensor
    prepared: Tensor
    grid: tuple[int, int]


@MODELS.register_module()
class MLLMSeg(TokenGrounder):
    """Grounder whose language model answers [SEG] or [REJ]; the state of [SEG] queries a mask.

    Args:
        mllm: Config of the language model.
        fusion: Config of the module that fuses patches and the states of image tokens to one map.
        decoder: Config of the module that decodes the map and the state of a token to a mask.
        mask_loss: Config of the loss of the masks.
        postprocessor: Config of the module that turns mask logits into predictions.
        answer_mode: Mode in which `predict` queries the model, see `models.mllm.answering`.
        prompts: Wordings of questions and answers, see `TokenGrounder`.
        shift_image_states: Whether to read the states of image tokens one position early, with
            which the published weights were trained.
        target_frame: Frame in which masks are compared in training: that of the "original" image
            or of the "input".
        language_weight: Factor of the loss of the text.
        data_preprocessor: Config of the module that moves and normalizes a collated batch. If
            `None`, that of `BaseGrounder` is used.
    """

    def __init__(
        self,
        *,
        mllm: Mapping[str, Any],
        fusion: Mapping[str, Any],
        decoder: Mapping[str, Any],
        mask_loss: Mapping[str, Any],
        postprocessor: Mapping[str, Any],
        answer_mode: AnswerMode = "constrained",
        prompts: str | Mapping[str, Any] = "mllmseg",
        shift_image_states: bool = True,
        target_frame: TargetFrame = "original",
        language_weight: float = 1.0,
        data_preprocessor: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            mllm=mllm,
            mask_loss=mask_loss,
            postprocessor=postprocessor,
            prompts=prompts,
            answer_mode=answer_mode,
            target_frame=target_frame,
            language_weight=language_weight,
            data_preprocessor=data_preprocessor,
        )
        self.fusion = MODELS.build(fusion)
        self.decoder = MODELS.build(decoder)
        self.shift_image_states = shift_image_states

    @property
    def protocol_settings(self) -> dict[str, Any]:
        """Options that influence predictions, for the report."""
        return {**super().protocol_settings, "shift_image_states": self.shift_image_states}

    def encode(self, inputs: Mapping[str, Any]) -> EncodedImages:
        """Encode normalized `images` (I, 3, H, W)."""
        return EncodedImages(self.mllm.encode_images(inputs["images"]))

    def prepare(
        self,
        encoded: EncodedImages,
        reading: Reading,
        sizes: Sequence[tuple[int, int]] = (),
    ) -> FusedMaps:
        """Fuse the patches of each image with the states of its image tokens."""
        semantic = image_states(
            reading.states.last,
            reading.packed,
            self.mllm.image_token_id,
            predicting=self.shift_image_states,
        )
        grid = encoded.language.grid
        fused = self.fusion(encoded.language.patches, semantic, grid)
        return FusedMaps(fused, self.decoder.prepare(fused), grid)

    def decode(self, prepared: FusedMaps, tokens: TokenStates) -> Tensor:
        """Return mask logits (N, H, W) of target tokens on the fused maps of their images."""
        return self.decoder(prepared.prepared[tokens.row], tokens.states, prepared.grid)

    def tensor(self, inputs: Mapping[str, Tensor]) -> MLLMSegOutput:
        """Run tokenized conversations.

        Args:
            inputs: Tensors `images` (I, 3, H, W), `token_ids` (I, L) and, if these are padded on
                the right, `text_padding_mask` (I, L).
        """
        encoded = self.encode(inputs)
        packed = PackedBatch.from_ids(inputs["token_ids"], inputs.get("text_padding_mask"))
        states = self.mllm.run(packed, encoded.language)
        image = torch.arange(len(states.last), device=states.last.device)
        maps = self.prepare(encoded, Reading(states, packed, image))
        found = states_predicting(states.last, packed, self.target_ids[:1])
        return MLLMSegOutput(
            patches=encoded.language.patches,
            image_tokens=encoded.language.tokens,
            states=states.last,
            logits=self.mllm.logits(states.last),
            fused=maps.fused,
            mask_logits=self.decode(maps, found),
            target_row=found.row,
            target_position=found.position,
        )
