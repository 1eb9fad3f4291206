"""Common interface of multimodal language models, independent of their library classes."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from vgtoolbox.checkpoint.layouts import StreamingLayout
from vgtoolbox.models.layers.initialization import init_local_attention
from vgtoolbox.models.mllm.packing import PackedBatch
from vgtoolbox.utils.choices import check_choice


@dataclass(frozen=True)
class ImageFeatures:
    """Features that a vision tower extracts from I images.

    Attributes:
        patches: Output (I, h * w, C) of the last block of the vision tower, row by row, without
            class token, in single precision.
        grid: Number of patches (h, w).
        tokens: Embeddings (I, K, H) that replace the K image tokens in the language model.
        valid: Mask (I, K) bool, False for tokens of padding, which no position attends to. If
            `None`, all tokens are valid.
    """

    patches: Tensor
    grid: tuple[int, int]
    tokens: Tensor
    valid: Tensor | None = None

    def __getitem__(self, index: Tensor) -> ImageFeatures:
        """Select images by their indices (M,), which may repeat."""
        valid = None if self.valid is None else self.valid[index]
        return ImageFeatures(self.patches[index], self.grid, self.tokens[index], valid)


@dataclass(frozen=True)
class Placeholders:
    """Features that replace the embeddings of a token at all its occurrences.

    Attributes:
        token_id: Id of the token.
        features: Features (..., H), flattened; the i-th occurrence, row by row, takes the i-th one.
        add: Whether to add a feature to the embedding of the token instead of replacing it.
    """

    token_id: int
    features: Tensor
    add: bool = False


@dataclass(frozen=True)
class LMStates:
    """Hidden states of a language model for a packed batch.

    Attributes:
        last: Hidden states (B, L, H) after the final norm, in single precision.
        layers: Hidden states of all layers, embeddings first and `last` at the end; empty unless
            requested.
    """

    last: Tensor
    layers: tuple[Tensor, ...] = ()


class MultimodalAdapter(nn.Module, ABC):
    """A vision tower, a projector and a language model behind one interface.

    A subclass builds a class of transformers as `model`, defines where its parts are, and declares
    the conventions of the published model. It does not know prompts, the special tokens of a
    grounder, or the meaning of their states.

    Attributes:
        model: Model of transformers.
        layouts: Layouts of published folders, the first of which has the language model.
        image_token: Token that represents one image token in a text.
        image_text: Text of an image in a question; `{image}` is all its tokens.
        chat_template: Name of the chat format, see `CHAT_TEMPLATES`.
        lora_prefix: Regular expression of the module path in `model` below which LoRA may apply.
    """

    model: Any
    layouts: ClassVar[tuple[StreamingLayout, ...]]
    image_token: ClassVar[str]
    image_text: ClassVar[str]
    chat_template: ClassVar[str]
    lora_prefix: ClassVar[str]

    @property
    @abstractmethod
    def language_model(self) -> Any:
        """Decoder stack, which accepts `inputs_embeds`."""

    @property
    @abstractmethod
    def hidden_size(self) -> int:
        """Number of channels H of the hidden states."""

    @property
    @abstractmethod
    def num_image_tokens(self) -> int:
        """Number of tokens K of one image."""

    @property
    def unused_modules(self) -> Sequence[nn.Module]:
        """Modules whose outputs are not read, so that they cannot be trained; none by default."""
        return ()

    @abstractmethod
    def encode_images(self, images: Tensor, valid: Tensor | None = None) -> ImageFeatures:
        """Encode normalized images.

        Args:
            images: Images (I, 3, H, W).
            valid: Mask (I, H, W) bool, False for pixels of padding. If `None`, no pixel is padding.

        Raises:
            ValueError: `valid` is given to a model that was not trained on padded images.
        """

    @cached_property
    def _cache_argument(self) -> str:
        """Name of the cache's argument, which transformers renames during its version 5."""
        names = inspect.signature(self.language_model.forward).parameters
        return "cache" if "cache" in names else "past_key_values"

    @property
    def compute_dtype(self) -> torch.dtype:
        """Dtype in which the language model computes; trained parts may have a higher precision."""
        return next(self.language_model.layers.parameters()).dtype

    def embed(self, token_ids: Tensor, placeholders: tuple[Placeholders, ...] = ()) -> Tensor:
        """Return embeddings (B, L, H) of ids (B, L), with features in place of their tokens.

        Raises:
            ValueError: The number of occurrences of a token is not that of its features.
        """
        known = token_ids
        for each in placeholders:
            if not each.add:  # the id may be outside the vocabulary
                known = known.masked_fill(known == each.token_id, 0)
        embeds = self.model.get_input_embeddings()(known).to(self.compute_dtype)
        for each in placeholders:
            place = token_ids == each.token_id
            features = each.features.flatten(0, -2).to(embeds.dtype)
            if int(place.sum()) != len(features):
                raise ValueError(
                    f"token {each.token_id} must occur once per feature, got {int(place.sum())} "
                    f"occurrences and {len(features)} features"
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
            packed: Batch of B rows with L tokens.
            placeholders: Features that replace tokens.
            key_valid: Mask (B, L) bool, False for keys that no position may attend to (padded image
                patches). If `None`, all keys are valid.
            all_layers: Whether to return the states of every layer.
            cache: Empty cache of transformers, which is filled for `step`. If `None`, nothing is
                cached.
        """
        embeds = self.embed(packed.token_ids, placeholders)
        with self._captured_layers(enabled=all_layers) as outputs:
            output = self.language_model(
                inputs_embeds=embeds,
                attention_mask=packed.attention_mask(embeds.dtype, key_valid),
                position_ids=packed.position_ids,
                use_cache=cache is not None,
                **{self._cache_argument: cache},
            )
        return self._states(embeds, outputs, output.last_hidden_state)

    def step(
        self,
        token_ids: Tensor,
        *,
        mask: Tensor,
        position_ids: Tensor,
        cache: Any,
        all_layers: bool = False,
    ) -> LMStates:
        """Append tokens (B, S) to a cache in place and return their states (B, S, H).

        Args:
            token_ids: Ids (B, S) of the new tokens.
            mask: Additive attention mask (B, 1, S, past + S).
            position_ids: Positions (B, S).
            cache: Cache that `run` and earlier steps have filled.
            all_layers: Whether to return the states of every layer.
        """
        embeds = self.embed(token_ids)
        with self._captured_layers(enabled=all_layers) as outputs:
            output = self.language_model(
                inputs_embeds=embeds,
                attention_mask=mask,
                position_ids=position_ids,
                use_cache=True,
                **{self._cache_argument: cache},
            )
        return self._states(embeds, outputs, output.last_hidden_state)

    @contextmanager
    def _captured_layers(self, *, enabled: bool) -> Iterator[list[Tensor]]:
        """Collect the outputs of the layers of the language model.

        transformers returns them as well, but not from a copied or unpickled model (5.24).
        """
        outputs: list[Tensor] = []

        def keep(_: nn.Module, __: Any, output: Any) -> None:
            outputs.append(output[0] if isinstance(output, tuple) else output)

        layers = self.language_model.layers if enabled else ()
        handles = [layer.register_forward_hook(keep) for layer in layers]
        try:
            yield outputs
        finally:
            for handle in handles:
                handle.remove()

    @staticmethod
    def _states(embeds: Tensor, outputs: Sequence[Tensor], last: Tensor) -> LMStates:
        """Return states whose layers are the embeddings, layer outputs, and the last after norm."""
        layers = (embeds, *outputs[:-1], last) if outputs else ()
        return LMStates(last=last.float(), layers=layers)

    def logits(self, states: Tensor) -> Tensor:
        """Return logits (..., V) of states (..., H)."""
        head = self.model.get_output_embeddings()
        return head(states.to(next(head.parameters()).dtype))

    def enable_gradient_checkpointing(self) -> None:
        """Recompute activations in the backward pass, layer by layer."""
        # Name of the method before transformers 5.2x, which deprecates it.
        old = "gradient_checkpointing_enable"
        enable = getattr(self.model, "activation_checkpointing_enable", None)
        (enable or getattr(self.model, old))({"use_reentrant": False})

    def init_language_model(
        self, embed_init_std: float | None, local_attention: float | None
    ) -> None:
        """Initialize the language model for training from random weights.

        Args:
            embed_init_std: Standard deviation of the token table. If `None`, the table keeps its
                values.
            local_attention: Strength of `init_local_attention` in the first half of the layers, see
                `InternVL`. If `None`, the layers keep their values.
        """
        if embed_init_std is not None:
            nn.init.normal_(self.model.get_input_embeddings().weight, std=embed_init_std)
        if local_attention is not None:
            self._init_local(local_attention)

    def _init_local(self, strength: float) -> None:
        """Let words add up in the state after them, and set all other residual updates to 0."""
        layers = self.language_model.layers
        for i, layer in enumerate(layers):
            attention = layer.self_attn
            if i < len(layers) // 2:
                init_local_attention(
                    attention.q_proj,
                    attention.k_proj,
                    attention.v_proj,
                    attention.o_proj,
                    head_dim=attention.head_dim,
                    strength=strength,
                )
            else:
                nn.init.zeros_(attention.o_proj.weight)
            nn.init.zeros_(layer.mlp.down_proj.weight)
        nn.init.zeros_(self.model.get_output_embeddings().weight)


def attention_name(name: str) -> str:
    """Return the name of an attention implementation that is a part of transformers.

    transformers takes any other name as that of a repository, downloads kernels from it and runs
    them.

    Raises:
        ValueError: `name` is not one of them.
    """
    known = ("sdpa", "eager", "flex_attention", "flash_attention_2", "flash_attention_3")
    check_choice("attention", name, known)
    return name


def torch_dtype(name: str) -> torch.dtype:
    """Return the floating-point dtype of a name.

    Raises:
        ValueError: `name` is not "float32", "bfloat16" or "float16".
    """
    dtypes = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    check_choice("dtype", name, dtypes)
    return dtypes[name]
