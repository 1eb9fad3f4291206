"""The base of every grounder that is a language model: text and images in, states out."""

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
from vgtoolbox.models.mllm.chat_template import IMAGE_MARK, ChatTokenizer, chat_template
from vgtoolbox.models.mllm.packing import Encoded, PackedBatch, Row
from vgtoolbox.models.mllm.pretrained import load_pretrained
from vgtoolbox.models.mllm.token_states import next_token_loss
from vgtoolbox.models.mllm.tuning.lora import add_lora
from vgtoolbox.models.mllm.tuning.new_rows import train_new_rows
from vgtoolbox.models.mllm.tuning.quantization import Bits, quantize_linears
from vgtoolbox.registry import MODELS, TOKENIZERS

Turns = Sequence[tuple[str, str]]


@MODELS.register_module()
class MLLM(nn.Module):
    """A multimodal language model with special tokens, a chat format and what of it is trained.

    It knows neither masks nor what a special token means. A grounder encodes its images, writes
    conversations, runs them packed, and reads states off where its tokens are.

    Args:
        adapter: Config of the model, e.g. `InternVL`.
        tokenizer: Config of its tokenizer; built on first use, so that a model can be built without
            its files.
        chat: A chat format by name (`chat.CHAT_TEMPLATES`), or its parts.
        new_tokens: Tokens that the vocabulary has been extended by; its last rows.
        image_token: Stands for one image token.
        image_text: How an image is written in a question; `{image}` is all its tokens.
        lora: `targets`, `rank`, `alpha` and `dropout` of LoRA in the language model; None is none.
        trainable: What trains beside it: "language_model", "final_norm", "embeddings" (whole
            matrices, input and output), "new_rows" (those of `new_tokens` only), or the name of any
            module of the adapter's model.
        gradient_checkpointing: Recompute activations in the backward pass.
        pretrained: Published folder of the language model to begin training with.
        quantize: Keep the language model's linear layers in 4 or 8 bits, for inference.
    """

    def __init__(
        self,
        *,
        adapter: Mapping[str, Any],
        tokenizer: Mapping[str, Any],
        chat: str | dict[str, Any] = "internvl2_5",
        new_tokens: Sequence[str] = (),
        image_token: str = "<IMG_CONTEXT>",
        image_text: str = "<img>{image}</img>",
        lora: Mapping[str, Any] | None = None,
        trainable: Sequence[str] = (),
        gradient_checkpointing: bool = False,
        pretrained: str | None = None,
        quantize: Bits | None = None,
    ) -> None:
        super().__init__()
        if quantize and (lora or trainable):
            raise ValueError(
                f"mllm.quantize={quantize} is for inference: what is trained needs its precision; "
                "set mllm.lora=None and mllm.trainable=[] (LoRA of a checkpoint is merged)"
            )
        self.adapter: MultimodalAdapter = MODELS.build(adapter)
        self._tokenizer_config = dict(tokenizer)
        self.chat = chat_template(chat)
        self.new_tokens = tuple(new_tokens)
        self.image_token = image_token
        self.image_text = image_text
        self.pretrained = pretrained
        self._has_base = False
        if quantize is not None:
            quantize_linears(self.adapter.language_model, quantize)
        self._choose_trainable(lora, trainable)
        if gradient_checkpointing:
            self.adapter.enable_gradient_checkpointing()

    @cached_property
    def tokenizer(self) -> ChatTokenizer:
        """The tokenizer, built on first use."""
        return TOKENIZERS.build(self._tokenizer_config)

    def init_weights(self) -> None:
        """Begin training with the published weights, where there are any (called by mmengine)."""
        self.load_base()

    def load_base(self) -> None:
        """Load the weights that `pretrained` names, once."""
        if self.pretrained and not self._has_base:
            load_pretrained(self, self.pretrained)
            self._has_base = True

    @property
    def device(self) -> torch.device:
        """Where the model stands."""
        return next(self.adapter.parameters()).device

    @property
    def image_token_id(self) -> int:
        """Id of the token that stands for one image token."""
        return self.tokenizer.token_id(self.image_token)

    def encode_images(self, images: Tensor) -> ImageFeatures:
        """Encode normalised images (I, 3, H, W)."""
        return self.adapter.encode_images(images)

    def with_image(self, question: str, num_tokens: int) -> str:
        """Write out the image of a question as `num_tokens` image tokens."""
        image = self.image_text.format(image=self.image_token * num_tokens)
        return question.replace(IMAGE_MARK, image)

    def encode_turns(self, turns: Turns, num_image_tokens: int) -> Encoded:
        """Tokenise a conversation of (question, answer), whose answers are labelled."""
        spelt = [(self.with_image(question, num_image_tokens), a) for question, a in turns]
        return self.chat.encode(spelt, self.tokenizer)

    def encode_question(self, question: str, num_image_tokens: int) -> Encoded:
        """Tokenise a question up to where its answer begins."""
        return self.chat.encode_question(
            self.with_image(question, num_image_tokens), self.tokenizer
        )

    def pack(self, rows: Sequence[Row]) -> PackedBatch:
        """Pack rows into a batch, where the model stands."""
        return PackedBatch.from_rows(rows, pad_id=self.tokenizer.pad_id, device=self.device)

    def run(
        self,
        packed: PackedBatch,
        features: ImageFeatures | None = None,
        *,
        all_layers: bool = False,
    ) -> LMStates:
        """Run packed rows; the i-th row shows the i-th image."""
        placeholders = self.image_placeholders(features)
        return self.adapter.run(packed, placeholders, all_layers=all_layers)

    def image_placeholders(self, features: ImageFeatures | None) -> tuple[Placeholders, ...]:
        """Say that features stand in for the image tokens."""
        if features is None:
            return ()
        return (Placeholders(self.image_token_id, features.tokens),)

    def logits(self, states: Tensor) -> Tensor:
        """Return logits (..., V) of states (..., H)."""
        return self.adapter.logits(states)

    def language_loss(self, states: Tensor, packed: PackedBatch) -> Tensor:
        """Return the mean cross-entropy of the labelled tokens from states (B, L, H)."""
        return next_token_loss(self.logits(states), packed)

    def _choose_trainable(self, lora: Mapping[str, Any] | None, trainable: Sequence[str]) -> None:
        """Freeze all, and let LoRA and the named parts train."""
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
        for parameter in model.parameters():
            if parameter.requires_grad:
                # A step is too small to be seen in half precision; autocast computes in that.
                parameter.data = parameter.data.float()

    def _parts(self, name: str) -> list[nn.Module]:
        """Return the modules that a name of `trainable` stands for."""
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
                f"trainable names {name!r}; expected new_rows, {', '.join(groups)}, or the path of "
                f"a module, e.g. below: {children}"
            )
        return groups.get(name) or [modules[name]]
