"""Base of grounders whose language model answers with target tokens that query masks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from vgtoolbox.models.grounders.base import BaseGrounder
from vgtoolbox.models.mllm import BranchedSequence, ImageFeatures, TokenStates, share_prefix
from vgtoolbox.models.mllm.answering import (
    AnswerMode,
    ExpressionQuerier,
    Reading,
    UnexpectedToken,
)
from vgtoolbox.models.mllm.grouping import group_images
from vgtoolbox.models.mllm.token_states import mean_count, states_predicting
from vgtoolbox.registry import MODELS, TASK_UTILS
from vgtoolbox.structures import (
    REJECT_MARK,
    TARGET_MARK,
    GroundingDataSample,
    decode_masks,
    merge_rles,
    referring_prompts,
)
from vgtoolbox.utils.choices import check_choice

TargetFrame = Literal["original", "input"]

_DECODER_BATCH_SIZE = 16
"""Number of expressions whose masks are decoded at once, which bounds the memory."""


@dataclass(frozen=True)
class EncodedImages:
    """Features of I images.

    Attributes:
        language: Features for the language model.
        maps: Feature maps (I, C, h, w) for the mask decoder. If `None`, it uses those of the
            language model.
    """

    language: ImageFeatures
    maps: Tensor | None = None

    def __getitem__(self, index: Tensor) -> EncodedImages:
        """Select images by their indices (M,), which may repeat."""
        maps = None if self.maps is None else self.maps[index]
        return EncodedImages(self.language[index], maps)


class TokenGrounder(BaseGrounder):
    """Grounder whose language model answers [SEG] or [REJ]; the states of [SEG] query masks.

    A subclass encodes images (`encode`), prepares what all tokens of a batch share (`prepare`) and
    decodes tokens to masks (`decode`). Training samples have one image and its conversations;
    samples of prediction have one expression each, and adjacent ones of an image share its
    encoding.

    Args:
        mllm: Config of the language model.
        mask_loss: Config of the loss of the masks.
        postprocessor: Config of the module that turns mask logits into predictions.
        prompts: Wordings of questions and answers: a name in `structures.REFERRING_PROMPTS`, or the
            fields of `ReferringPrompts`.
        answer_mode: Mode in which `predict` queries the model, see `models.mllm.answering`.
        rejects: Whether the language model can answer [REJ].
        target_frame: Frame in which masks are compared in training: that of the "original" image
            or of the "input".
        language_weight: Factor of the loss of the text.
        max_new_tokens: Maximum number of tokens of a generated answer.
        unexpected_token: Meaning of a token that is not the true one, see `ExpressionQuerier`.
        data_preprocessor: Config of the module that moves and normalizes a collated batch. If
            `None`, that of `BaseGrounder` is used.
    """

    def __init__(
        self,
        *,
        mllm: Mapping[str, Any],
        mask_loss: Mapping[str, Any],
        postprocessor: Mapping[str, Any],
        prompts: str | Mapping[str, Any],
        answer_mode: AnswerMode = "constrained",
        rejects: bool = True,
        target_frame: TargetFrame = "original",
        language_weight: float = 1.0,
        max_new_tokens: int = 64,
        unexpected_token: UnexpectedToken = "accepts",
        data_preprocessor: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        check_choice("answer_mode", answer_mode, get_args(AnswerMode))
        check_choice("target_frame", target_frame, get_args(TargetFrame))
        check_choice("unexpected_token", unexpected_token, get_args(UnexpectedToken))
        self.mllm = MODELS.build(mllm)
        self.mask_loss = MODELS.build(mask_loss)
        self.postprocessor = TASK_UTILS.build(postprocessor)
        self.prompts = referring_prompts(prompts)
        self.answer_mode: AnswerMode = answer_mode
        self.rejects = rejects
        self.target_frame = target_frame
        self.language_weight = language_weight
        self.max_new_tokens = max_new_tokens
        self.unexpected_token: UnexpectedToken = unexpected_token

    @abstractmethod
    def encode(self, inputs: Mapping[str, Any]) -> EncodedImages:
        """Encode images.

        Args:
            inputs: Normalized `images` (I, 3, H, W); `views` and `valid` by name, if the pipeline
                makes them.
        """

    @abstractmethod
    def prepare(
        self,
        encoded: EncodedImages,
        reading: Reading,
        sizes: Sequence[tuple[int, int]],
    ) -> Any:
        """Return what the masks of all tokens share, for `decode`.

        Args:
            encoded: Features of the image of each of R rows.
            reading: States of the language model.
            sizes: Height and width (H, W) of the image of each row: of the original in tests, and
                in training of the frame in which masks are compared.
        """

    @abstractmethod
    def decode(self, prepared: Any, tokens: TokenStates) -> Tensor:
        """Return mask logits (N, H, W) at the size of the padded input, or in its proportions.

        Args:
            prepared: Result of `prepare`.
            tokens: States of N target tokens.
        """

    @property
    def all_layers(self) -> bool:
        """Whether `prepare` and `decode` read the states of every layer."""
        return False

    @property
    def protocol_settings(self) -> dict[str, Any]:
        """Options that influence predictions, for the report."""
        return {"answer_mode": self.answer_mode}

    @property
    def target_ids(self) -> tuple[int, ...]:
        """Ids of [SEG] and, unless the model never rejects, of [REJ]."""
        return self.querier.token_ids

    @property
    def querier(self) -> ExpressionQuerier:
        """Querier of the language model with the prompts and target tokens of this grounder."""
        return ExpressionQuerier(
            self.mllm,
            self.prompts,
            target=TARGET_MARK,
            reject=REJECT_MARK if self.rejects else None,
            max_new_tokens=self.max_new_tokens,
            all_layers=self.all_layers,
            unexpected_token=self.unexpected_token,
        )

    def loss(
        self, inputs: Mapping[str, Any], data_samples: Sequence[GroundingDataSample]
    ) -> dict[str, Tensor]:
        """Return the losses of the text and of the masks.

        Args:
            inputs: Inputs of I images, see `encode`.
            data_samples: I samples with `conversations`, whose marks refer to their targets.

        Raises:
            ValueError: A sample has no conversations, or a conversation lost target tokens.
        """
        sequences = [self._rows(sample) for sample in data_samples]
        packed = self.mllm.pack([row for rows in sequences for row in rows])
        image = [i for i, rows in enumerate(sequences) for _ in rows]
        encoded, index = self.encode(inputs), torch.tensor(image, device=packed.token_ids.device)
        if len(image) > len(data_samples):
            encoded = encoded[index]
        states = self.mllm.run(packed, encoded.language, all_layers=self.all_layers)
        found = states_predicting(states.last, packed, self.target_ids, states.layers)
        named = [
            (sample, targets)
            for sample in data_samples
            for conversation in sample.conversations
            for targets in conversation.targets
        ]
        if len(found) != len(named):
            raise ValueError(
                f"conversations must have {len(named)} {TARGET_MARK} or {REJECT_MARK} as tokens, "
                f"got {len(found)}; check new_tokens and the length of the conversations"
            )
        shown = [data_samples[i] for i in image]
        sizes = _sizes(shown, self.target_frame)
        prepared = self.prepare(encoded, Reading(states, packed, index), sizes)
        masks = [self._target(sample, targets) for sample, targets in named if targets]
        tokens = found[found.token_ids == self.target_ids[0]]
        losses = self.mask_losses(
            prepared, tokens, masks, shown, num_no_target=len(named) - len(masks)
        )
        if not masks:
            losses |= self._connected(losses)
        language = self.language_weight * self.mllm.language_loss(states.last, packed)
        return {"loss_language": language, **losses}

    def mask_losses(
        self,
        prepared: Any,
        tokens: TokenStates,
        targets: Sequence[Tensor],
        data_samples: Sequence[GroundingDataSample],
        *,
        num_no_target: int,
    ) -> dict[str, Tensor]:
        """Return the losses between masks of [SEG] tokens and their targets.

        Args:
            prepared: Result of `prepare`.
            tokens: States of the N tokens [SEG].
            targets: Target masks (H_i, W_i) bool of the tokens.
            data_samples: Sample of the image of each row.
            num_no_target: Number of rejected expressions.
        """
        mask_logits = self.decode(prepared, tokens)
        return self.mask_loss(
            mask_logits,
            targets,
            num_no_target=num_no_target,
            normalizer=mean_count(len(targets) + num_no_target, mask_logits.device),
        )

    def predict(
        self,
        inputs: Mapping[str, Any],
        data_samples: Sequence[GroundingDataSample],
        *,
        score_thr: float | None = None,
    ) -> list[GroundingDataSample]:
        """Fill the predictions of each sample; adjacent samples of an image share its encoding.

        Args:
            inputs: Inputs, see `group_images`.
            data_samples: Samples with one expression each.
            score_thr: Must be `None`.

        Raises:
            ValueError: `score_thr` is given, but the language model decides without a threshold.
        """
        if score_thr is not None:
            raise ValueError(
                f"score_thr must be None, because {type(self).__name__} decides without a "
                f"threshold, got {score_thr}; leave it out"
            )
        groups = group_images(inputs)
        members = groups.members()
        encoded = self.encode(groups.inputs)
        expressions = [[data_samples[i].expression for i in each] for each in members]
        truth = None
        if self.answer_mode == "teacher_forced":
            truth = [[_truth(data_samples[i]) for i in each] for each in members]
        sentences = {s.expression for s in data_samples if s.get("query_kind") == "long"}
        answers = self.querier.ask(
            self.answer_mode, encoded.language, expressions, truth, sentences
        )
        firsts = [data_samples[each[0]] for each in members]
        prepared = self.prepare(encoded, answers.reading, _sizes(firsts))
        for start in range(0, len(data_samples), _DECODER_BATCH_SIZE):
            end = min(start + _DECODER_BATCH_SIZE, len(data_samples))
            chosen = (answers.expression >= start) & (answers.expression < end)
            mask_logits = self.decode(prepared, answers.tokens[chosen])
            counts = torch.bincount(answers.expression[chosen] - start, minlength=end - start)
            parts = mask_logits.split(counts.tolist())
            for i, masks in enumerate(parts, start=start):
                self.postprocessor(
                    data_samples[i],
                    masks,
                    existence=float(answers.existence[i]),
                    no_target=bool(answers.no_target[i]),
                    text=answers.texts[i],
                )
        return list(data_samples)

    def _rows(self, sample: GroundingDataSample) -> list[BranchedSequence]:
        """Tokenize the conversations of an image.

        Conversations that begin with the same text up to the image share one row.
        """
        if not sample.get("conversations"):
            raise ValueError(
                f"{sample.get('img_path', 'a sample')} must have conversations for training, got "
                "none; add WriteReferringConversations to the pipeline"
            )
        num_tokens = self.mllm.adapter.num_image_tokens
        encoded = [
            self.mllm.encode_turns([(t.question, t.answer) for t in each.turns], num_tokens)
            for each in sample.conversations
        ]
        if len(encoded) > 1:
            shared = share_prefix(encoded)
            if shared.prefix.token_ids.count(self.mllm.image_token_id) == num_tokens:
                return [shared]
        return [BranchedSequence(each) for each in encoded]

    def _target(self, sample: GroundingDataSample, targets: Sequence[int]) -> Tensor:
        """Return the union of some masks of a sample, (H, W) bool."""
        if self.target_frame == "input":
            return sample.gt_instances.masks[list(targets)].any(0)
        size = (sample.ori_shape[0], sample.ori_shape[1])
        masks = [sample.gt_instances_ori.masks[i] for i in targets]
        return decode_masks([merge_rles(masks, size)])[0]

    def _connected(self, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return one of the losses with a gradient of 0 for every weight after the language model.

        Distributed training needs a gradient of every weight in every process.
        """
        name = next(key for key in losses if key.startswith("loss_"))
        weights = sum(
            parameter.sum()
            for key, parameter in self.named_parameters()
            if parameter.requires_grad and not key.startswith("mllm.")
        )
        return {name: losses[name] + 0.0 * weights}


def _sizes(
    data_samples: Sequence[GroundingDataSample], frame: TargetFrame = "original"
) -> list[tuple[int, int]]:
    """Return height and width (H, W) of the image of each sample in a frame."""
    shapes = [each.ori_shape if frame == "original" else each.img_shape for each in data_samples]
    return [(shape[0], shape[1]) for shape in shapes]


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
