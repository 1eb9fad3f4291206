"""UGround: a similarity map of [SEG], read at a selected layer, prompts SAM (arXiv 2510.03853)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, get_args

import torch
from mmengine.dist import get_rank
from torch import Tensor

from vgtoolbox.models.grounders.sam_token_grounder import (
    PreparedImages,
    SAMTokenGrounder,
    TokenPrompts,
)
from vgtoolbox.models.grounders.token_grounder import TargetFrame
from vgtoolbox.models.losses import similarity_losses_by_image
from vgtoolbox.models.mllm import TokenStates
from vgtoolbox.models.mllm.answering import AnswerMode
from vgtoolbox.models.prompt_encoders import mask_prompts, min_max, similarity_in_image
from vgtoolbox.registry import MODELS
from vgtoolbox.utils.choices import check_choice

TrainLayers = Literal["last", "similarity", "both"]
TestLayer = Literal["last", "sampled", "argmax", "fixed", "mean_topk"]


@MODELS.register_module()
class UGround(SAMTokenGrounder):
    """Grounder that prompts SAM with the state of [SEG] and its similarity map, at chosen layers.

    Args:
        mllm: Config of the language model.
        image_encoder: Config of SAM's image encoder.
        prompt_encoder: Config of SAM's prompt encoder.
        mask_decoder: Config of SAM's mask decoder.
        mask_loss: Config of the loss of the masks.
        postprocessor: Config of the module that turns mask logits into predictions.
        policy: Config of the head that selects a layer for each token.
        policy_loss: Config of the loss of the policy. If `None`, the policy is not trained.
        train_layers: States at sampled layers in training: none ("last", mode 1 of the published
            code), those of the similarity map ("similarity", mode 2), or those of the token that
            prompts SAM as well ("both", mode 3).
        test_layer: Layer in tests: "last", as in the published evaluation; "sampled", "argmax" or
            "fixed"; or "mean_topk", the mean of the maps of the most probable layers.
        fixed_layer: Layer of "fixed", as an index into embeddings and layers.
        top_k: Number of layers of "mean_topk".
        similarity_bce_weight: Weight of the cross-entropy of the similarity maps.
        similarity_dice_weight: Weight of the Dice loss of the similarity maps.
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

    used_prompts: ClassVar[tuple[str, ...]] = ("mask_embed",)

    def __init__(
        self,
        *,
        mllm: Mapping[str, Any],
        image_encoder: Mapping[str, Any],
        prompt_encoder: Mapping[str, Any],
        mask_decoder: Mapping[str, Any],
        mask_loss: Mapping[str, Any],
        postprocessor: Mapping[str, Any],
        policy: Mapping[str, Any],
        policy_loss: Mapping[str, Any] | None = None,
        train_layers: TrainLayers = "both",
        test_layer: TestLayer = "last",
        fixed_layer: int = -1,
        top_k: int = 3,
        similarity_bce_weight: float = 2.0,
        similarity_dice_weight: float = 4.0,
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
        check_choice("train_layers", train_layers, get_args(TrainLayers))
        check_choice("test_layer", test_layer, get_args(TestLayer))
        self.policy = MODELS.build(policy)
        self.policy_loss = None if policy_loss is None else MODELS.build(policy_loss)
        self.train_layers: TrainLayers = train_layers
        self.test_layer: TestLayer = test_layer
        self.fixed_layer = fixed_layer
        self.top_k = top_k
        self.similarity_bce_weight = similarity_bce_weight
        self.similarity_dice_weight = similarity_dice_weight

    @property
    def all_layers(self) -> bool:
        """Whether the states of every layer are read."""
        return (self.train_layers if self.training else self.test_layer) != "last"

    @property
    def protocol_settings(self) -> dict[str, Any]:
        """Options that influence predictions, for the report."""
        return {**super().protocol_settings, "test_layer": self.test_layer}

    def make_prompts(self, prepared: PreparedImages, tokens: TokenStates) -> TokenPrompts:
        """Encode the projected states and the similarity maps of N tokens."""
        if tokens.layers is None:
            similarity = prepared.similarity(tokens.states, tokens.row)
            return self._prompts(prepared, tokens, tokens.states, min_max(similarity), similarity)
        logits = self.policy(tokens.layers)
        if not self.training and self.test_layer == "mean_topk":
            return self._mean_of_likely_layers(prepared, tokens, logits)
        layers = self._select_layers(logits)
        index = torch.arange(len(tokens), device=layers.device)
        states = tokens.layers[index, layers]
        similarity = prepared.similarity(states, tokens.row, layers)
        last_only = self.training and self.train_layers == "similarity"
        log_probs = logits.float().log_softmax(1)
        return self._prompts(
            prepared,
            tokens,
            tokens.states if last_only else states,
            min_max(similarity),
            similarity,
            log_probs=log_probs[index, layers],
            layer_probs=log_probs.exp(),
            layers=layers,
        )

    def _select_layers(self, logits: Tensor) -> Tensor:
        """Return the index (N,) of the layer of each token, from logits (N, L)."""
        rule = "sampled" if self.training else self.test_layer
        if rule == "sampled":
            return self.policy.sample(logits, get_rank())
        if rule == "argmax":
            return logits.argmax(1)
        return torch.full_like(logits[:, 0], self.fixed_layer % logits.shape[1], dtype=torch.long)

    def _mean_of_likely_layers(
        self, prepared: PreparedImages, tokens: TokenStates, logits: Tensor
    ) -> TokenPrompts:
        """Return prompts with the mean map of the likeliest layers and the state of the first."""
        assert tokens.layers is not None
        likely = logits.topk(min(self.top_k, logits.shape[1]), 1).indices  # (N, k)
        index = torch.arange(len(tokens), device=likely.device)
        maps = [
            min_max(prepared.similarity(tokens.layers[index, each], tokens.row, each))
            for each in likely.unbind(1)
        ]
        states = tokens.layers[index, likely[:, 0]]
        mean = torch.stack(maps).mean(0)
        return self._prompts(prepared, tokens, states, mean, mean, layers=likely[:, 0])

    def _prompts(
        self,
        prepared: PreparedImages,
        tokens: TokenStates,
        states: Tensor,
        scaled: Tensor,
        similarity: Tensor,
        *,
        log_probs: Tensor | None = None,
        layer_probs: Tensor | None = None,
        layers: Tensor | None = None,
    ) -> TokenPrompts:
        """Encode states (N, H) and similarity (N, K), scaled to [0, 1], as prompts."""
        text = self.query_proj(states)[:, None]
        patch_size = prepared.view_size // prepared.grid[0]
        maps = [
            similarity_in_image(scaled[members], prepared.grid, size, patch_size)
            for size, members in prepared.tokens_by_image(tokens.row)
        ]
        masks = [mask_prompts(each, self.prompt_encoder.mask_size) for each in maps]
        prompts = self.prompt_encoder(text, masks=torch.cat(masks) if masks else None)
        return TokenPrompts(prompts, states, similarity, maps, log_probs, layer_probs, layers)

    def prompt_losses(
        self,
        made: TokenPrompts,
        image: Tensor,
        targets: Sequence[Tensor],
        normalizer: Tensor,
    ) -> dict[str, Tensor]:
        """Return the losses of the similarity maps and of the policy.

        Args:
            made: Prompts of the N tokens.
            image: Index (N,) of the image of each token.
            targets: Target masks (H_i, W_i) bool of the tokens.
            normalizer: Scalar that sums over masks are divided by.
        """
        counts = [len(each) for each in made.maps]
        bce = dice = made.prompts.sparse.sum((1, 2)) * 0.0  # (N,); what remains for no tokens
        if counts:
            masks = [torch.stack(list(targets[end - n : end])) for n, end in _ends(counts)]
            bce, dice = similarity_losses_by_image(list(made.maps), masks)
        losses = {
            "loss_similarity_bce": self.similarity_bce_weight * bce.sum() / normalizer,
            "loss_similarity_dice": self.similarity_dice_weight * dice.sum() / normalizer,
        }
        if self.policy_loss is not None and made.log_probs is not None:
            assert made.layer_probs is not None
            losses |= self.policy_loss(made.log_probs, bce + dice, image, made.layer_probs)
        return losses


def _ends(counts: Sequence[int]) -> list[tuple[int, int]]:
    """Return each count with the sum of the counts up to it."""
    ends, end = [], 0
    for count in counts:
        end += count
        ends.append((count, end))
    return ends
