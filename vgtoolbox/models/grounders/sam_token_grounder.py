"""Base of grounders whose target tokens prompt SAM: LISA and its descendants."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vgtoolbox.models.grounders.token_grounder import EncodedImages, TargetFrame, TokenGrounder
from vgtoolbox.models.mllm import PackedBatch, TokenStates, image_positions, states_predicting
from vgtoolbox.models.mllm.answering import AnswerMode, Reading
from vgtoolbox.models.mllm.token_states import mean_count
from vgtoolbox.models.prompt_encoders import SAMPrompts, rounded_size
from vgtoolbox.registry import MODELS
from vgtoolbox.structures import GroundingDataSample

CLIP_VIEW = "clip"
"""Name of the view that the language model sees."""


@dataclass(frozen=True)
class SAMTokenOutput:
    """Raw outputs for I images with L tokens each, and their N target tokens [SEG].

    Attributes:
        patches: States (I, h * w, C) of CLIP that are projected.
        image_tokens: Embeddings (I, K, H) of the image tokens in the language model.
        states: Last hidden states (I, L, H).
        logits: Logits (I, L, V).
        maps: Feature maps (I, C, h, w) of SAM.
        token_states: States (N, H) that prompt SAM, after the final norm unless a policy selects.
        prompts: Encoded prompts of the N masks.
        low_res_logits: Mask logits (N, 4 * h, 4 * w) of the mask decoder.
        iou: Estimated IoU (N,) of the masks.
        mask_logits: N mask logits (H_i, W_i) in the original images.
        target_row: Index (N,) of the image of each [SEG].
        target_position: Position (N,) of each [SEG] in its row.
        similarity: Similarity (N, K) to the image tokens; `None` for systems that do not use it.
    """

    patches: Tensor
    image_tokens: Tensor
    states: Tensor
    logits: Tensor
    maps: Tensor
    token_states: Tensor
    prompts: SAMPrompts
    low_res_logits: Tensor
    iou: Tensor
    mask_logits: list[Tensor]
    target_row: Tensor
    target_position: Tensor
    similarity: Tensor | None


@dataclass(frozen=True)
class PreparedImages:
    """Features that the masks of all tokens share, for the image of each of R rows.

    Attributes:
        maps: Feature maps (R, C, h, w) of SAM.
        reading: States of the language model.
        image_positions: Index (R, K) of the image tokens in each row of `reading`.
        grid: Number of patches (h, w) of the language model's view.
        view_size: Side of that view in pixels.
        sizes: Height and width (H, W) of the image of each row, see `TokenGrounder.prepare`.
    """

    maps: Tensor
    reading: Reading
    image_positions: Tensor
    grid: tuple[int, int]
    view_size: int
    sizes: Sequence[tuple[int, int]]

    def similarity(self, states: Tensor, row: Tensor, layers: Tensor | None = None) -> Tensor:
        """Return the products (N, K) of states with those of the image tokens of their images.

        Args:
            states: States (N, H) of tokens.
            row: Row (N,) of each token.
            layers: Index (N,) of the layer of each token. If `None`, the last one.
        """
        found = self.reading.states
        sources = (found.last,) if layers is None else found.layers
        layers = torch.zeros_like(row) if layers is None else layers
        # Image tokens are gathered once per image and layer, not once per token.
        pairs, inverse = torch.unique(row * len(sources) + layers, return_inverse=True)
        result = states.new_zeros(len(states), self.image_positions.shape[1])
        for i, pair in enumerate(pairs.tolist()):
            image, layer = divmod(pair, len(sources))
            members = (inverse == i).nonzero()[:, 0]
            image_states = sources[layer][image, self.image_positions[image]].float()  # (K, H)
            result = result.index_copy(0, members, states[members] @ image_states.T)
        return result

    def tokens_by_image(self, row: Tensor) -> list[tuple[tuple[int, int], slice]]:
        """Return the size (H, W) of each image with tokens, and the range of these.

        Args:
            row: Row (N,) of each token, ascending.
        """
        _, counts = torch.unique_consecutive(self.reading.image[row], return_counts=True)
        ends = counts.cumsum(0)
        first_rows = row[ends - counts].tolist()
        return [
            (self.sizes[first], slice(end - count, end))
            for first, end, count in zip(first_rows, ends.tolist(), counts.tolist(), strict=True)
        ]


@dataclass(frozen=True)
class TokenPrompts:
    """Prompts of N target tokens, and what they were made from.

    Attributes:
        prompts: Encoded prompts.
        states: States (N, H) of the tokens that prompt SAM.
        similarity: Similarity (N, K) to the image tokens, or `None`.
        maps: Similarity maps of the tokens of each image that has any, (N_i, H_i, W_i) each, in the
            images; empty for systems that do not use them.
        log_probs: Logarithms (N,) of the probabilities of sampled layers, or `None`.
        layer_probs: Probabilities (N, L) of the layers, or `None`.
        layers: Index (N,) of the sampled layer of each token, or `None`.
    """

    prompts: SAMPrompts
    states: Tensor
    similarity: Tensor | None = None
    maps: Sequence[Tensor] = ()
    log_probs: Tensor | None = None
    layer_probs: Tensor | None = None
    layers: Tensor | None = None


class SAMTokenGrounder(TokenGrounder):
    """Grounder on a LLaVA whose [SEG] tokens prompt the mask decoder of SAM.

    `images` are those of SAM, the view "clip" is that of the language model. A subclass makes the
    prompts (`make_prompts`).

    Args:
        mllm: Config of the language model.
        image_encoder: Config of SAM's image encoder, which is frozen.
        prompt_encoder: Config of SAM's prompt encoder.
        mask_decoder: Config of SAM's mask decoder.
        mask_loss: Config of the loss of the masks, e.g. `TokenMaskBCEDiceLoss`.
        postprocessor: Config of the module that turns mask logits into predictions.
        prompts: Wordings of questions and answers, see `TokenGrounder`.
        answer_mode: Mode in which `predict` queries the model, see `models.mllm.answering`.
        rejects: Whether the language model can answer [REJ].
        target_frame: Frame in which masks are compared in training, see `TokenGrounder`.
        train_prompt_encoder: Whether the prompt encoder is trained in addition to the mask decoder.
        freeze_image_encoder: Whether SAM's image encoder keeps its weights. Without pretraining it
            has to be trained.
        language_weight: Factor of the loss of the text.
        max_new_tokens: Maximum number of tokens of a generated answer.
        data_preprocessor: Config of the module that moves and normalizes a collated batch. If
            `None`, that of `BaseGrounder` is used.

    Attributes:
        used_prompts: Names of the modules of the prompt encoder that the system uses.
    """

    used_prompts: ClassVar[tuple[str, ...]] = ("no_mask_embed",)

    def __init__(
        self,
        *,
        mllm: Mapping[str, Any],
        image_encoder: Mapping[str, Any],
        prompt_encoder: Mapping[str, Any],
        mask_decoder: Mapping[str, Any],
        mask_loss: Mapping[str, Any],
        postprocessor: Mapping[str, Any],
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
            mask_loss=mask_loss,
            postprocessor=postprocessor,
            prompts=prompts,
            answer_mode=answer_mode,
            rejects=rejects,
            target_frame=target_frame,
            language_weight=language_weight,
            max_new_tokens=max_new_tokens,
            unexpected_token="contradicts",
            data_preprocessor=data_preprocessor,
        )
        self.image_encoder = MODELS.build(image_encoder)
        self.prompt_encoder = MODELS.build(prompt_encoder)
        self.mask_decoder = MODELS.build(mask_decoder)
        width = self.mllm.adapter.hidden_size
        self.query_proj = nn.Sequential(
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, self.image_encoder.out_channels),
        )
        self.freeze_image_encoder = freeze_image_encoder
        self.image_encoder.requires_grad_(not freeze_image_encoder)
        # Distributed training needs a gradient of every weight, so unused modules are frozen.
        self.prompt_encoder.requires_grad_(False)
        for name in self.used_prompts if train_prompt_encoder else ():
            self.prompt_encoder.encoder.get_submodule(name).requires_grad_(True)
        self.mask_decoder.decoder.iou_prediction_head.requires_grad_(False)

    @abstractmethod
    def make_prompts(self, prepared: PreparedImages, tokens: TokenStates) -> TokenPrompts:
        """Make the prompts of target tokens.

        Args:
            prepared: Features of the images.
            tokens: States of N target tokens.
        """

    def encode(self, inputs: Mapping[str, Any]) -> EncodedImages:
        """Encode images.

        Args:
            inputs: Normalized `images` (I, 3, S, S) of SAM, `views["clip"]` (I, 3, s, s) and, if
                padding of that view is masked, `valid["clip"]` (I, s, s) bool.
        """
        valid = inputs.get("valid", {}).get(CLIP_VIEW)
        language = self.mllm.encode_images(inputs["views"][CLIP_VIEW], valid)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.freeze_image_encoder):
            maps = self.image_encoder(inputs["images"])
        return EncodedImages(language, maps)

    def prepare(
        self,
        encoded: EncodedImages,
        reading: Reading,
        sizes: Sequence[tuple[int, int]],
    ) -> PreparedImages:
        """Return the features that the masks of all tokens share."""
        assert encoded.maps is not None
        return PreparedImages(
            maps=encoded.maps,
            reading=reading,
            image_positions=image_positions(reading.packed, self.mllm.image_token_id),
            grid=encoded.language.grid,
            view_size=self.mllm.adapter.model.config.vision_config.image_size,
            sizes=sizes,
        )

    def decode(self, prepared: PreparedImages, tokens: TokenStates) -> Tensor:
        """Return mask logits (N, S, S) in SAM's padded frame."""
        low_res, _ = self.decode_prompts(prepared, tokens, self.make_prompts(prepared, tokens))
        return self.to_frame(low_res)

    def decode_prompts(
        self, prepared: PreparedImages, tokens: TokenStates, made: TokenPrompts
    ) -> tuple[Tensor, Tensor]:
        """Return mask logits (N, 4 * h, 4 * w) and estimated IoU (N,) of the prompts."""
        prompts = made.prompts
        if not len(tokens):  # some devices do not support convolutions of an empty batch
            size = self.prompt_encoder.mask_size
            empty = (prompts.sparse.sum() + prompts.dense.sum()) * 0.0
            return empty + prompts.sparse.new_zeros(0, size, size), prompts.sparse.new_zeros(0)
        maps = prepared.maps[tokens.row]
        positions = self.prompt_encoder.image_positions()
        if prompts.lengths is None:
            return self.mask_decoder(maps, positions, prompts.sparse, prompts.dense)
        # The decoder has no mask of its prompts: those of equal number are decoded together.
        lengths, inverse = torch.unique(prompts.lengths, return_inverse=True)
        parts = []
        for i, length in enumerate(lengths.tolist()):
            chosen = inverse == i
            sparse, dense = prompts.sparse[chosen][:, -length:], prompts.dense[chosen]
            parts.append(self.mask_decoder(maps[chosen], positions, sparse, dense))
        order = inverse.argsort(stable=True).argsort()
        return torch.cat([masks for masks, _ in parts])[order], torch.cat(
            [iou for _, iou in parts]
        )[order]

    def to_frame(self, low_res: Tensor) -> Tensor:
        """Resize mask logits (N, 4 * h, 4 * w) to SAM's padded frame, (N, S, S)."""
        side = self.image_encoder.image_size
        if not len(low_res):
            return low_res.sum() + low_res.new_zeros(0, side, side)
        return F.interpolate(
            low_res.float()[:, None], (side, side), mode="bilinear", align_corners=False
        )[:, 0]

    def mask_losses(
        self,
        prepared: PreparedImages,
        tokens: TokenStates,
        targets: Sequence[Tensor],
        data_samples: Sequence[GroundingDataSample],
        *,
        num_no_target: int,
    ) -> dict[str, Tensor]:
        """Return the losses between masks of [SEG] tokens and their targets.

        Args:
            prepared: Features of the images.
            tokens: States of the N tokens [SEG].
            targets: Target masks (H_i, W_i) bool of the tokens.
            data_samples: Sample of the image of each row.
            num_no_target: Number of rejected expressions, which have no mask and do not count.
        """
        made = self.make_prompts(prepared, tokens)
        low_res, _ = self.decode_prompts(prepared, tokens, made)
        framed = self.to_frame(low_res)
        shapes = [data_samples[row].img_shape for row in tokens.row.tolist()]
        logits = [mask[:h, :w] for mask, (h, w) in zip(framed, shapes, strict=True)]
        normalizer = mean_count(len(targets), framed.device)
        losses = self.mask_loss(logits, targets, normalizer=normalizer)
        if not len(tokens):
            name = next(iter(losses))
            losses[name] = losses[name] + framed.sum() * 0.0
        image = prepared.reading.image[tokens.row]
        return losses | self.prompt_losses(made, image, targets, normalizer)

    def prompt_losses(
        self,
        made: TokenPrompts,
        image: Tensor,
        targets: Sequence[Tensor],
        normalizer: Tensor,
    ) -> dict[str, Tensor]:
        """Return further losses of the prompts themselves; none by default.

        Args:
            made: Prompts of the N tokens.
            image: Index (N,) of the image of each token.
            targets: Target masks (H_i, W_i) bool of the tokens.
            normalizer: Scalar that sums over masks are divided by.
        """
        return {}

    def tensor(self, inputs: Mapping[str, Any]) -> SAMTokenOutput:
        """Run tokenized conversations.

        Args:
            inputs: Inputs of `encode`, and `token_ids` (I, L) with K image tokens each,
                `text_padding_mask` (I, L) if they are padded on the right, and `sizes`, height and
                width (H, W) of each original image.
        """
        encoded = self.encode(inputs)
        packed = PackedBatch.from_ids(inputs["token_ids"], inputs.get("text_padding_mask"))
        states = self.mllm.run(packed, encoded.language, all_layers=self.all_layers)
        found = states_predicting(states.last, packed, self.target_ids[:1], states.layers)
        image = torch.arange(len(states.last), device=states.last.device)
        prepared = self.prepare(encoded, Reading(states, packed, image), inputs["sizes"])
        made = self.make_prompts(prepared, found)
        low_res, iou = self.decode_prompts(prepared, found, made)
        return SAMTokenOutput(
            patches=encoded.language.patches,
            image_tokens=encoded.language.tokens,
            states=states.last,
            logits=self.mllm.logits(states.last),
            maps=prepared.maps,
            token_states=made.states,
            prompts=made.prompts,
            low_res_logits=low_res,
            iou=iou,
            mask_logits=self._to_originals(low_res, found, inputs["sizes"]),
            target_row=found.row,
            target_position=found.position,
            similarity=made.similarity,
        )

    def _to_originals(
        self, low_res: Tensor, tokens: TokenStates, sizes: Sequence[tuple[int, int]]
    ) -> list[Tensor]:
        """Return mask logits (H_i, W_i) in the original images."""
        side = self.image_encoder.image_size
        results = []
        for mask, row in zip(self.to_frame(low_res), tokens.row.tolist(), strict=True):
            height, width = rounded_size(sizes[row], side)
            content = mask[None, None, :height, :width]
            results.append(
                F.interpolate(content, sizes[row], mode="bilinear", align_corners=False)[0, 0]
            )
        return results
