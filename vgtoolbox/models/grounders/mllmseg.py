"""MLLMSeg: InternVL with a light decoder of masks for its [SEG] token (arXiv 2508.04107)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from vgtoolbox.models.grounders.base import BaseGrounder
from vgtoolbox.models.mllm import (
    BranchedSequence,
    ImageFeatures,
    LMStates,
    PackedBatch,
    ReferringPrompts,
    TokenSequence,
    TokenStates,
    image_states,
    share_prefix,
    states_predicting,
)
from vgtoolbox.models.mllm.answering import AnswerMode, ExpressionQuerier
from vgtoolbox.models.mllm.grouping import ImageGroups, group_images
from vgtoolbox.models.mllm.token_states import mean_count
from vgtoolbox.registry import MODELS, TASK_UTILS
from vgtoolbox.structures import GroundingDataSample, decode_masks, merge_rles
from vgtoolbox.utils.choices import check_choice

Packing = Literal["joint", "shared_prefix"]
TargetFrame = Literal["original", "input"]

SEG, REJ = "[SEG]", "[REJ]"
_DECODER_BATCH_SIZE = 16

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
"""Published wordings, exact to the space: the first is for tests, the others are for training."""


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


@MODELS.register_module()
class MLLMSeg(BaseGrounder):
    """Grounder whose language model answers [SEG] or [REJ]; the state of [SEG] queries a mask.

    Args:
        mllm: Config of the language model.
        fusion: Config of the module that fuses patches and the states of image tokens to one map.
        decoder: Config of the module that decodes the map and the state of a token to a mask.
        mask_loss: Config of the loss of the masks.
        postprocessor: Config of the module that turns mask logits into predictions.
        answer_mode: Mode in which `predict` queries the model, see `models.mllm.answering`.
        prompts: Wordings of questions and answers. If `None`, the published ones are used.
        packing: "joint" to train all expressions of an image in one conversation, as published;
            "shared_prefix" to train each in its own conversation, after a prefix that they share.
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
        prompts: Mapping[str, Any] | None = None,
        packing: Packing = "joint",
        shift_image_states: bool = True,
        target_frame: TargetFrame = "original",
        language_weight: float = 1.0,
        data_preprocessor: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        check_choice("answer_mode", answer_mode, get_args(AnswerMode))
        check_choice("packing", packing, get_args(Packing))
        check_choice("target_frame", target_frame, get_args(TargetFrame))
        self.mllm = MODELS.build(mllm)
        self.fusion = MODELS.build(fusion)
        self.decoder = MODELS.build(decoder)
        self.mask_loss = MODELS.build(mask_loss)
        self.postprocessor = TASK_UTILS.build(postprocessor)
        self.answer_mode: AnswerMode = answer_mode
        self.prompts = PROMPTS if prompts is None else ReferringPrompts(**prompts)
        self.packing = packing
        self.shift_image_states = shift_image_states
        self.target_frame = target_frame
        self.language_weight = language_weight

    @property
    def protocol_settings(self) -> dict[str, Any]:
        """Options that influence predictions, for the report."""
        return {"answer_mode": self.answer_mode, "shift_image_states": self.shift_image_states}

    @property
    def target_ids(self) -> tuple[int, int]:
        """Ids of [SEG] and [REJ]."""
        tokenizer = self.mllm.tokenizer
        return tokenizer.token_id(SEG), tokenizer.token_id(REJ)

    @property
    def querier(self) -> ExpressionQuerier:
        """Querier of the language model with the prompts and target tokens of this grounder."""
        return ExpressionQuerier(
            self.mllm,
            self.prompts,
            target=SEG,
            reject=REJ,
            shift_image_states=self.shift_image_states,
        )

    def tensor(self, inputs: Mapping[str, Tensor]) -> MLLMSegOutput:
        """Run tokenized conversations.

        Args:
            inputs: Tensors `images` (I, 3, H, W), `token_ids` (I, L) and, if these are padded on
                the right, `text_padding_mask` (I, L).
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
        """Return the losses of the text and of the masks; adjacent samples of an image share a row.

        Conversations are written from the expressions of the samples, unless `inputs` has tokenized
        ones: `images` (I, 3, H, W), `token_ids` and `labels` (I, L).
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
        """Fill the predictions of each sample; adjacent samples of an image share its encoding.

        Raises:
            ValueError: `score_thr` is given, but the language model decides without a threshold.
        """
        if score_thr is not None:
            raise ValueError(
                f"score_thr must be None, because MLLMSeg decides without a threshold, got "
                f"{score_thr}; leave it out"
            )
        groups = group_images(inputs["images"], inputs.get("image_index"))
        features = self.mllm.encode_images(groups.images)
        expressions = [[data_samples[i].expression for i in each] for each in groups.members()]
        truth = None
        if self.answer_mode == "teacher_forced":
            truth = [[_truth(data_samples[i]) for i in each] for each in groups.members()]
        answers = self.querier.ask(self.answer_mode, features, expressions, truth)
        fused = self.fusion(features.patches, answers.semantic, features.grid)
        prepared = self.decoder.prepare(fused)
        for start in range(0, len(data_samples), _DECODER_BATCH_SIZE):
            part = slice(start, start + _DECODER_BATCH_SIZE)
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
    ) -> list[BranchedSequence]:
        """Write the conversations of a training batch in randomly drawn wordings."""
        num_tokens = self.mllm.adapter.num_image_tokens
        rows = []
        for members in groups.members():
            samples = [data_samples[i] for i in members]
            if self.packing == "joint":
                rows.append(BranchedSequence(self._conversation(samples, num_tokens)))
            else:
                # With different questions, the shared prefix would end at the image.
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
    ) -> TokenSequence:
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
        """Draw one of the wordings for training, which are all but the first if there are more."""
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
        """Return the losses between masks of [SEG] tokens and the targets of their samples."""
        if len(found.row) != len(data_samples):
            raise ValueError(
                f"conversations must have one {SEG} or {REJ} per expression, got {len(found.row)} "
                f"for {len(data_samples)} expressions; remove these tokens from the expressions"
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
            # Distributed training needs a gradient of every weight in every process.
            weights = sum(p.sum() for p in self.decoder.parameters() if p.requires_grad)
            losses["loss_dice"] = losses["loss_dice"] + 0.0 * (fused.sum() + weights)
        return losses

    def _target(self, sample: GroundingDataSample) -> Tensor:
        """Return the union of the masks of a sample, (H, W) bool."""
        if self.target_frame == "input":
            return sample.gt_instances.masks.any(0)
        size = (sample.ori_shape[0], sample.ori_shape[1])
        return decode_masks([merge_rles(sample.gt_instances_ori.masks, size)])[0]


def _truth(sample: GroundingDataSample) -> bool:
    """Return whether a sample is annotated as having no target.

    Raises:
        ValueError: The sample has no annotation.
    """
    try:
        return sample.no_target
    except AttributeError as error:
        raise ValueError(
            "answer_mode must be 'constrained' or 'generate' for a sample without annotation, got "
            "'teacher_forced', which needs the true answers; set model.answer_mode=constrained"
        ) from error
