"""Multimodal language model that maps text and images to hidden states for grounders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from vgtoolbox.models.mllm.adapters.base import (
    ImageFeatures,
    LMStates,
    MultimodalAdapter,
    Placeholders,
)
from vgtoolbox.models.mllm.chat_template import ChatTokenizer, chat_template
from vgtoolbox.models.mllm.packing import BranchedSequence, PackedBatch, TokenSequence
from vgtoolbox.models.mllm.pretrained import load_pretrained, load_vision_tower
from vgtoolbox.models.mllm.token_states import next_token_loss
from vgtoolbox.models.mllm.tuning.lora import add_lora
from vgtoolbox.models.mllm.tuning.new_rows import train_new_rows
from vgtoolbox.models.mllm.tuning.quantization import Bits, quantize_linears
from vgtoolbox.registry import MODELS, TOKENIZERS
from vgtoolbox.structures import IMAGE_MARK
from vgtoolbox.utils.templates import fill_template

Turns = Sequence[tuple[str, str]]


@MODELS.register_module()
class MLLM(nn.Module):
    """Multimodal language model with special tokens, a chat format and a choice of trained parts.

    It knows neither masks nor the meaning of a special token. A grounder encodes its images, writes
    conversations, runs them packed, and reads the states at the positions of its tokens.

    Args:
        adapter: Config of the adapter, e.g. `InternVL`.
        tokenizer: Config of the tokenizer, which is built on first use, so that a model can be
            built without the tokenizer's files.
        chat: Name of a chat format (`chat_template.CHAT_TEMPLATES`), or its fields. If `None`, the
            format of the adapter is used.
        new_tokens: Tokens that extend the vocabulary, in the order of its last rows.
        image_token: Token that represents one image token. If `None`, that of the adapter is used.
        image_text: Text of an image in a question; `{image}` is all its tokens. If `None`, that of
            the adapter is used.
        lora: Settings `targets`, `rank`, `alpha` and `dropout` of LoRA in the language model. If
            `None`, there is no LoRA.
        trainable: Names of the parts that are trained in addition to LoRA: "language_model",
            "final_norm", "embeddings" (whole input and output matrices), "new_rows" (those of
            `new_tokens` only), or the path of any module of the adapter's model.
        gradient_checkpointing: Whether to recompute activations in the backward pass.
        pretrained: Published folder of the language model to start training from, or several if
            its vision tower has a folder of its own. If `None`, weights are random.
        quantize: Number of bits, 4 or 8, of the language model's linear layers, for inference. If
            `None`, the weights keep their precision.
    """

    def __init__(
        self,
        *,
        adapter: Mapping[str, Any],
        tokenizer: Mapping[str, Any],
        chat: str | dict[str, Any] | None = None,
        new_tokens: Sequence[str] = (),
        image_token: str | None = None,
        image_text: str | None = None,
        lora: Mapping[str, Any] | None = None,
        trainable: Sequence[str] = (),
        gradient_checkpointing: bool = False,
        pretrained: str | Sequence[str] | None = None,
        quantize: Bits | None = None,
    ) -> None:
        super().__init__()
        if quantize and (lora or trainable):
            raise ValueError(
                "mllm.quantize must be None when mllm.lora or mllm.trainable is set, got "
                f"{quantize}; for inference, set mllm.lora=None and mllm.trainable=[] (LoRA of a "
                "checkpoint is merged)"
            )
        self.adapter: MultimodalAdapter = MODELS.build(adapter)
        self._tokenizer_config = dict(tokenizer)
        self.chat = chat_template(self.adapter.chat_template if chat is None else chat)
        self.new_tokens = tuple(new_tokens)
        self.image_token = self.adapter.image_token if image_token is None else image_token
        self.image_text = self.adapter.image_text if image_text is None else image_text
        self.pretrained = pretrained
        self._has_base = False
        if quantize is not None:
            quantize_linears(self.adapter.language_model, quantize)
        self._choose_trainable(lora, trainable)
        if gradient_checkpointing:
            self.adapter.enable_gradient_checkpointing()

    @cached_property
    def tokenizer(self) -> ChatTokenizer:
        """Tokenizer, built on first use."""
        return TOKENIZERS.build(self._tokenizer_config)

    def init_weights(self) -> None:
        """Load the published weights, if `pretrained` is given; mmengine calls this method."""
        self.load_base()

    def load_base(self) -> None:
        """Load the weights that `pretrained` names, once."""
        if self.pretrained and not self._has_base:
            load_pretrained(self.adapter, self._folders)
            self._has_base = True

    def load_vision_tower(self) -> None:
        """Load the vision tower from the folders that `pretrained` names.

        Raises:
            ValueError: None of them has it.
        """
        load_vision_tower(self.adapter, self._folders)

    @property
    def _folders(self) -> Sequence[str]:
        return [self.pretrained] if isinstance(self.pretrained, str) else self.pretrained or ()

    @property
    def device(self) -> torch.device:
        """Device of the model."""
        return next(self.adapter.parameters()).device

    @property
    def image_token_id(self) -> int:
        """Id of the token that represents one image token."""
        return self.tokenizer.token_id(self.image_token)

    def encode_images(self, images: Tensor, valid: Tensor | None = None) -> ImageFeatures:
        """Encode normalized images.

        Args:
            images: Images (I, 3, H, W).
            valid: Mask (I, H, W) bool, False for pixels of padding. If `None`, no pixel is padding.
        """
        return self.adapter.encode_images(images, valid)

    def with_image(self, question: str, num_tokens: int) -> str:
        """Replace the image mark of a question by `num_tokens` image tokens."""
        image = fill_template(self.image_text, image=self.image_token * num_tokens)
        return question.replace(IMAGE_MARK, image)

    def encode_turns(self, turns: Turns, num_image_tokens: int) -> TokenSequence:
        """Tokenize a conversation of (question, answer) turns, whose answers are labeled."""
        written = [(self.with_image(question, num_image_tokens), a) for question, a in turns]
        return self.chat.encode(written, self.tokenizer)

    def encode_question(self, question: str, num_image_tokens: int) -> TokenSequence:
        """Tokenize a question up to the start of its answer."""
        return self.chat.encode_question(
            self.with_image(question, num_image_tokens), self.tokenizer
        )

    def pack(self, rows: Sequence[BranchedSequence]) -> PackedBatch:
        """Pack rows into a batch on the device of the model."""
        return PackedBatch.from_sequences(rows, pad_id=self.tokenizer.pad_id, device=self.device)

    def run(
        self,
        packed: PackedBatch,
        features: ImageFeatures | None = None,
        *,
        all_layers: bool = False,
    ) -> LMStates:
        """Run packed rows, the i-th of which shows the i-th image.

        Args:
            packed: Batch of rows.
            features: Features of the images. If `None`, the rows show no images.
            all_layers: Whether to return the states of every layer.
        """
        return self.adapter.run(
            packed,
            self.image_placeholders(features),
            key_valid=self.valid_keys(packed, features),
            all_layers=all_layers,
        )

    def valid_keys(self, packed: PackedBatch, features: ImageFeatures | None) -> Tensor | None:
        """Return the mask (B, L) bool of positions that are not padding of an image.

        Args:
            packed: Batch of B rows, the i-th of which shows the i-th image.
            features: Features of the images. If `None`, or without padding, the result is `None`.
        """
        if features is None or features.valid is None:
            return None
        is_image = packed.token_ids == self.image_token_id
        return torch.ones_like(is_image).masked_scatter(is_image, features.valid)

    def image_placeholders(self, features: ImageFeatures | None) -> tuple[Placeholders, ...]:
        """Return the placeholders that replace image tokens by features, empty for `None`."""
        if features is None:
            return ()
        return (Placeholders(self.image_token_id, features.tokens),)

    def logits(self, states: Tensor) -> Tensor:
        """Return logits (..., V) of states (..., H)."""
        return self.adapter.logits(states)

    def language_loss(self, states: Tensor, packed: PackedBatch) -> Tensor:
        """Return the mean cross-entropy of the labeled tokens from states (B, L, H)."""
        return next_token_loss(self.logits(states), packed)

    def _choose_trainable(self, lora: Mapping[str, Any] | None, trainable: Sequence[str]) -> None:
        """Freeze all parameters except those of LoRA and of the named parts."""
        model = self.adapter.model
        model.requires_grad_(False)
        if lora is not None:
            add_lora(model, prefix=self.adapter.lora_prefix, **lora)
        for name in trainable:
            if name == "new_rows":
                train_new_rows(model, len(self.new_tokens))
                continue
            for module in self._parts(name):
                module.requires_grad_(True)
        for module in self.adapter.unused_modules:
            module.requires_grad_(False)  # distributed training needs a gradient of every weight
        for parameter in model.parameters():
            if parameter.requires_grad:
                # Half precision would round updates away; autocast still computes in it.
                parameter.data = parameter.data.float()

    def _parts(self, name: str) -> list[nn.Module]:
        """Return the modules of a name in `trainable`."""
        model, language = self.adapter.model, self.adapter.language_model
        groups: dict[str, list[Any]] = {
            "all": [model],
            "language_model": [language, model.get_output_embeddings()],
            "final_norm": [getattr(language, "norm", None)],
            "embeddings": [model.get_input_embeddings(), model.get_output_embeddings()],
        }
        modules = dict(model.named_modules())
        if name not in groups and name not in modules:
            children = ", ".join(sorted({key.split(".")[1] for key in modules if "." in key}))
            raise ValueError(
                f"mllm.trainable must contain new_rows, {', '.join(groups)} or paths of modules, "
                f"got {name!r}; modules are found below: {children}"
            )
        return groups.get(name) or [modules[name]]
