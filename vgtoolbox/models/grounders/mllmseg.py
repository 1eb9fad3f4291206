"""MLLMSeg: InternVL whose [SEG] token becomes a mask by a light decoder (arXiv 2508.04107)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from vgtoolbox.models.grounders.base import BaseGrounder
from vgtoolbox.models.mllm import (
    Encoded,
    ImageFeatures,
    LMStates,
    PackedBatch,
    ReferringPrompts,
    Row,
    TokenStates,
    image_states,
    share_prefix,
    states_predicting,
)
from vgtoolbox.models.mllm.answering import ExpressionQuerier, Protocol, check_protocol
from vgtoolbox.models.mllm.grouping import ImageGroups, group_images
from vgtoolbox.models.mllm.token_states import mean_count
from vgtoolbox.registry import MODELS, TASK_UTILS
from vgtoolbox.structures import GroundingDataSample, decode_masks, merge_rles

SEG, REJ = "[SEG]", "[REJ]"
_MASKS_AT_ONCE = 16

PROMPTS = ReferringPrompts(
    questions=(
        "<image>\n What are {expressions}in this image? Please output segmentation masks.",
        "<image>\nCan you segment {expressions} in this image?",
        "<image>\nPlease segment {expressions} in this image.",
        "<image>\nWhat are {expressions} in this image? Please respond with segmentation masks.",
        "<image>\nWhat are {expressions} in this image? Please output segmentation masks.",
    ),
    answers=(
        ("Sure,", "{expression}:{token}"),
        ("The segmentation results are ", "{expression} {token}"),
        ("Sure, they are ", "{expression}:{token}"),
        ("Sure, ", "the mask of {expression} is {token}"),
        ("Sure, ", "the segmentation of {expression} is {token}"),
        ("Sure, ", "the referred {expression} is {token}"),
    ),
)
"""As published, to the blank: the first of each is for tests, the others are for training."""


@dataclass(frozen=True)
class MLLMSegOutput:
    """Raw outputs of I images, L tokens each, and their N target tokens [SEG].

    Attributes:
        patches: (I, h * w, C), last block of the vision tower.
        image_tokens: (I, K, H), what the language model reads of an image.
        states: (I, L, H), last hidden states.
        logits: (I, L, V).
        fused: (I, h * w, C), detail and semantics.
        mask_logits: (N, H, W), in the order of the tokens, row by row.
        target_row: (N,), image of each.
        target_position: (N,), position of each [SEG].
    """

    patches: Tensor
    image_tokens: Tensor
    states: Tensor
    logits: Tensor
    fused: Tensor
    mask_logits: Tensor
    target_row: Tensor
    target_position: Tensor


@MODELS.register_module()
class MLLMSeg(BaseGrounder):
    """A language model answers [SEG] or [REJ] to each expression; [SEG]'s state asks for a mask.

    Args:
        mllm: The language model.
        fusion: From patches and the states of image tokens to one map.
        decoder: From the map and a token's state to a mask.
        mask_loss: Of the masks.
        postprocessor: From mask logits to predictions.
        protocol: How it is asked in `predict`, see `models.mllm.protocols`.
        prompts: Questions and answers; None has the published ones.
        training_form: "chain" trains all expressions of an image in one conversation, as published;
            "branches" each in its own, over a prefix that they share.
        shift_image_states: Read the states of image tokens one position early, which is how the
            published weights were trained.
        target_frame: Masks are compared at the size of the "original" image, or of the "input".
        language_weight: Factor on the loss of the text.
        data_preprocessor: Moves and normalises a collated batch.
    """

    def __init__(
        self,
        *,
        mllm: Mapping[str, Any],
        fusion: Mapping[str, Any],
        decoder: Mapping[str, Any],
        mask_loss: Mapping[str, Any],
        postprocessor: Mapping[str, Any],
        protocol: Protocol = "constrained",
        prompts: Mapping[str, Any] | None = None,
        training_form: Literal["chain", "branches"] = "chain",
        shift_image_states: bool = True,
        target_frame: Literal["original", "input"] = "original",
        language_weight: float = 1.0,
        data_preprocessor: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        if training_form not in ("chain", "branches"):
            raise ValueError(f"training_form must be 'chain' or 'branches', got {training_form!r}")
        if target_frame not in ("original", "input"):
            raise ValueError(f"target_frame must be 'original' or 'input', got {target_frame!r}")
        self.mllm = MODELS.build(mllm)
        self.fusion = MODELS.build(fusion)
        self.decoder = MODELS.build(decoder)
        self.mask_loss = MODELS.build(mask_loss)
        self.postprocessor = TASK_UTILS.build(postprocessor)
        self.protocol: Protocol = check_protocol(protocol)
        self.prompts = PROMPTS if prompts is None else ReferringPrompts(**prompts)
        self.training_form = training_form
        self.shift_image_states = shift_image_states
        self.target_frame = target_frame
        self.language_weight = language_weight

    @property
    def protocol_settings(self) -> dict[str, Any]:
        """The choices behind predictions, for the report."""
        return {"answers": self.protocol, "shift_image_states": self.shift_image_states}

    @property
    def target_ids(self) -> tuple[int, int]:
        """Ids of [SEG] and [REJ]."""
        tokenizer = self.mllm.tokenizer
        return tokenizer.token_id(SEG), tokenizer.token_id(REJ)

    @property
    def dialogue(self) -> ExpressionQuerier:
        """How the language model is asked."""
        return ExpressionQuerier(
            self.mllm,
            self.prompts,
            target=SEG,
            reject=REJ,
            shift_image_states=self.shift_image_states,
        )

    def tensor(self, inputs: Mapping[str, Tensor]) -> MLLMSegOutput:
        """Run conversations that are tokenised already.

        Args:
            inputs: `images` (I, 3, H, W), `token_ids` (I, L), and, where they are padded on the
                right, `text_padding_mask` (I, L).
        """
        features = self.mllm.encode_images(inputs["images"])
        packed = PackedBatch.from_ids(inputs["token_ids"], inputs.get("text_padding_mask"))
        states = self.mllm.run(packed, features)
        fused = self.fuse(features, states, packed)
        found = states_predicting(states.last, packed, self.target_ids[:1])
        return MLLMSegOutput(
            patches=features.patches,
            image_tokens=features.tokens,
            states=states.last,
            logits=self.mllm.logits(states.last),
            fused=fused,
            mask_logits=self.decode(fused, found, features.grid),
            target_row=found.row,
            target_position=found.position,
        )

    def fuse(self, features: ImageFeatures, states: LMStates, packed: PackedBatch) -> Tensor:
        """Return the fused map of each image, (I, h * w, C)."""
        semantic = image_states(
            states.last, packed, self.mllm.image_token_id, predicting=self.shift_image_states
        )
        return self.fusion(features.patches, semantic, features.grid)

    def decode(self, fused: Tensor, found: TokenStates, grid: tuple[int, int]) -> Tensor:
        """Return mask logits (N, H, W) of target tokens on the fused maps of their images."""
        prepared = self.decoder.prepare(fused)
        return self.decoder(prepared[found.row], found.states, grid)

    def loss(
        self, inputs: Mapping[str, Tensor], data_samples: Sequence[GroundingDataSample]
    ) -> dict[str, Tensor]:
        """Return the losses of the text and of the masks; neighbours of one image are one row.

        Conversations are written from the samples' expressions, or read from `inputs` where they
        are tokenised already: `images` (I, 3, H, W), `token_ids` and `labels` (I, L).
        """
        if "token_ids" in inputs:
            images = inputs["images"]
            packed = PackedBatch.from_ids(
                inputs["token_ids"], inputs.get("text_padding_mask"), inputs["labels"]
            )
        else:
            groups = group_images(inputs["images"], inputs.get("image_index"))
            rows = self._training_rows(groups, data_samples)
            images, packed = groups.images, self.mllm.pack(rows)
        features = self.mllm.encode_images(images)
        states = self.mllm.run(packed, features)
        fused = self.fuse(features, states, packed)
        found = states_predicting(states.last, packed, self.target_ids)
        return {
            "loss_language": self.language_weight * self.mllm.language_loss(states.last, packed),
            **self._mask_losses(fused, found, features.grid, data_samples),
        }

    def predict(
        self,
        inputs: Mapping[str, Tensor],
        data_samples: Sequence[GroundingDataSample],
        *,
        score_thr: float | None = None,
    ) -> list[GroundingDataSample]:
        """Fill the predictions of each sample; neighbors of one image share what they can.

        Raises:
            ValueError: `score_thr` is given. The language model decides, not a score.
        """
        if score_thr is not None:
            raise ValueError("MLLMSeg decides without a score threshold; leave score_thr out")
        groups = group_images(inputs["images"], inputs.get("image_index"))
        features = self.mllm.encode_images(groups.images)
        expressions = [[data_samples[i].expression for i in each] for each in groups.members()]
        truth = None
        if self.protocol == "teacher_forced":
            truth = [[_truth(data_samples[i]) for i in each] for each in groups.members()]
        answers = self.dialogue.ask(self.protocol, features, expressions, truth)
        fused = self.fusion(features.patches, answers.semantic, features.grid)
        prepared = self.decoder.prepare(fused)
        for start in range(0, len(data_samples), _MASKS_AT_ONCE):
            part = slice(start, start + _MASKS_AT_ONCE)
            shared = prepared[list(groups.index[part])]
            mask_logits = self.decoder(shared, answers.queries[part], features.grid)
            for i, logits in enumerate(mask_logits, start=start):
                self.postprocessor(
                    data_samples[i],
                    logits,
                    existence=float(answers.existence[i]),
                    no_target=bool(answers.no_target[i]),
                    text=answers.texts[i],
                )
        return list(data_samples)

    def _training_rows(
        self, groups: ImageGroups, data_samples: Sequence[GroundingDataSample]
    ) -> list[Row]:
        """Write the conversations of a training batch, in wordings drawn at random."""
        num_tokens = self.mllm.adapter.num_image_tokens
        rows = []
        for members in groups.members():
            samples = [data_samples[i] for i in members]
            if self.training_form == "chain":
                rows.append(Row(self._conversation(samples, num_tokens)))
            else:
                # One question for all, or they would share no prefix behind the image.
                question = self._draw(self.prompts.questions)
                rows.append(
                    share_prefix(
                        [self._conversation([each], num_tokens, question) for each in samples]
                    )
                )
        return rows

    def _conversation(
        self,
        samples: Sequence[GroundingDataSample],
        num_tokens: int,
        question: int | None = None,
    ) -> Encoded:
        expressions = [sample.expression for sample in samples]
        tokens = [REJ if sample.no_target else SEG for sample in samples]
        asked = self._draw(self.prompts.questions) if question is None else question
        answered = self._draw(self.prompts.answers)
        turn = (
            self.prompts.question(expressions, asked),
            self.prompts.answer(expressions, tokens, answered),
        )
        return self.mllm.encode_turns([turn], num_tokens)

    @staticmethod
    def _draw(wordings: Sequence[Any]) -> int:
        """Draw one of the wordings for training: those behind the first, where there are any."""
        if len(wordings) == 1:
            return 0
        return int(torch.randint(1, len(wordings), ()))

    def _mask_losses(
        self,
        fused: Tensor,
        found: TokenStates,
        grid: tuple[int, int],
        data_samples: Sequence[GroundingDataSample],
    ) -> dict[str, Tensor]:
        """Compare the masks of the [SEG] tokens with the targets of their samples."""
        if len(found.row) != len(data_samples):
            raise ValueError(
                f"{len(found.row)} target tokens for {len(data_samples)} expressions; expected one "
                f"{SEG} or {REJ} each: an expression must not spell one itself"
            )
        is_target = found.token_ids == self.target_ids[0]
        chosen = TokenStates(
            found.states[is_target],
            found.row[is_target],
            found.position[is_target],
            found.token_ids[is_target],
        )
        samples = [data_samples[i] for i in is_target.nonzero()[:, 0].tolist()]
        mask_logits = self.decode(fused, chosen, grid)
        losses = self.mask_loss(
            mask_logits,
            [self._target(each) for each in samples],
            num_no_target=len(data_samples) - len(samples),
            normalizer=mean_count(len(data_samples), fused.device),
        )
        if not samples:
            # Other processes wait for the gradients of every weight.
            weights = sum(p.sum() for p in self.decoder.parameters() if p.requires_grad)
            losses["loss_dice"] = losses["loss_dice"] + 0.0 * (fused.sum() + weights)
        return losses

    def _target(self, sample: GroundingDataSample) -> Tensor:
        """Return the union of a sample's masks, (H, W) bool."""
        if self.target_frame == "input":
            return sample.gt_instances.masks.any(0)
        size = (sample.ori_shape[0], sample.ori_shape[1])
        return decode_masks([merge_rles(sample.gt_instances_ori.masks, size)])[0]


def _truth(sample: GroundingDataSample) -> bool:
    """Return whether the annotation says that there is no target."""
    try:
        return sample.no_target
    except AttributeError as error:
        raise ValueError(
            "protocol 'teacher_forced' shows the model the true answers, and the sample has none; "
            "ask with model.protocol=constrained or generate"
        ) from error
