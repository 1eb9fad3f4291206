"""What the base asks of a multimodal language model, whichever library class it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from vgtoolbox.models.mllm.packing import PackedBatch


@dataclass(frozen=True)
class ImageFeatures:
    """What a vision tower makes of I images.

    Attributes:
        patches: (I, h * w, C), last block of the vision tower, row by row, without class token, in
            single precision.
        grid: (h, w).
        tokens: (I, K, H), what enters the language model in place of the K image tokens.
    """

    patches: Tensor
    grid: tuple[int, int]
    tokens: Tensor


@dataclass(frozen=True)
class Placeholders:
    """Features that stand in for a token, wherever it occurs.

    Attributes:
        token_id: The token.
        features: (..., H), flattened; the i-th occurrence, row by row, takes the i-th feature.
        add: Add to the token's embedding instead of taking its place.
    """

    token_id: int
    features: Tensor
    add: bool = False


@dataclass(frozen=True)
class LMStates:
    """What a language model makes of a packed batch.

    Attributes:
        last: (B, L, H), hidden states after the final norm, in single precision.
        layers: All of them, embeddings first and `last` at the end; empty unless asked for.
    """

    last: Tensor
    layers: tuple[Tensor, ...] = ()


class MultimodalAdapter(nn.Module, ABC):
    """A vision tower, a projector and a language model behind one interface.

    A subclass builds a class of transformers as `model` and says where its parts are. Prompts,
    special tokens and what their states mean are none of its business.
    """

    model: Any

    @property
    @abstractmethod
    def language_model(self) -> Any:
        """The decoder stack, which takes `inputs_embeds`."""

    @property
    @abstractmethod
    def hidden_size(self) -> int:
        """H."""

    @property
    @abstractmethod
    def num_image_tokens(self) -> int:
        """K, image tokens of one image."""

    @abstractmethod
    def encode_images(self, images: Tensor) -> ImageFeatures:
        """Encode normalised images (I, 3, H, W)."""

    @property
    def compute_dtype(self) -> torch.dtype:
        """What the language model computes in; parts that train may be stored more precisely."""
        return next(self.language_model.layers.parameters()).dtype

    @property
    def lora_prefix(self) -> str:
        """Regular expression of the module path, in `model`, below which LoRA may apply."""
        return r".*language_model\."

    def embed(self, token_ids: Tensor, placeholders: tuple[Placeholders, ...] = ()) -> Tensor:
        """Return embeddings (B, L, H) of ids (B, L), features put where they belong.

        Raises:
            ValueError: A token does not occur as often as there are features.
        """
        embeds = self.model.get_input_embeddings()(token_ids).to(self.compute_dtype)
        for each in placeholders:
            place = token_ids == each.token_id
            features = each.features.flatten(0, -2).to(embeds.dtype)
            if int(place.sum()) != len(features):
                raise ValueError(
                    f"token {each.token_id} occurs {int(place.sum())} times and there are "
                    f"{len(features)} features for it; expected as many of one as of the other"
                )
            if each.add:
                features = embeds[place] + features
            embeds = embeds.masked_scatter(place[..., None], features)
        return embeds

    def run(
        self,
        packed: PackedBatch,
        placeholders: tuple[Placeholders, ...] = (),
        *,
        key_valid: Tensor | None = None,
        all_layers: bool = False,
        cache: Any = None,
    ) -> LMStates:
        """Run the language model on a whole batch.

        Args:
            packed: Of B rows, L tokens.
            placeholders: Features that stand in for tokens.
            key_valid: (B, L) bool, False where no position may look (padded image patches).
            all_layers: Return the states of every layer.
            cache: A cache of transformers, still empty, that is filled for `step`.
        """
        embeds = self.embed(packed.token_ids, placeholders)
        output = self.language_model(
            inputs_embeds=embeds,
            attention_mask=packed.attention_mask(embeds.dtype, key_valid),
            position_ids=packed.position_ids,
            past_key_values=cache,
            use_cache=cache is not None,
            output_hidden_states=all_layers,
        )
        layers = tuple(output.hidden_states) if all_layers else ()
        return LMStates(last=output.last_hidden_state.float(), layers=layers)

    def step(self, token_ids: Tensor, *, mask: Tensor, position_ids: Tensor, cache: Any) -> Tensor:
        """Append tokens (B, S) to a cache, which grows, and return their states (B, S, H).

        Args:
            token_ids: The new tokens.
            mask: (B, 1, S, past + S), additive.
            position_ids: (B, S).
            cache: Filled by `run` and earlier steps.
        """
        output = self.language_model(
            inputs_embeds=self.embed(token_ids),
            attention_mask=mask,
            position_ids=position_ids,
            past_key_values=cache,
            use_cache=True,
        )
        return output.last_hidden_state.float()

    def logits(self, states: Tensor) -> Tensor:
        """Return logits (..., V) of states (..., H)."""
        head = self.model.get_output_embeddings()
        return head(states.to(next(head.parameters()).dtype))

    def enable_gradient_checkpointing(self) -> None:
        """Recompute activations in the backward pass, layer by layer."""
        # Its name before transformers 5.2x, which warns of it.
        old = "gradient_checkpointing_enable"
        enable = getattr(self.model, "activation_checkpointing_enable", None)
        (enable or getattr(self.model, old))({"use_reentrant": False})


def torch_dtype(name: str) -> torch.dtype:
    """Return the floating-point dtype of that name."""
    dtypes = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if name not in dtypes:
        raise ValueError(f"dtype must be one of {', '.join(dtypes)}, got {name!r}")
    return dtypes[name]
