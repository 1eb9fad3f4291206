"""Queries of a language model about expressions, in one of three answer modes.

`constrained`     Each prompt has one expression. The wording of the answer is given up to the
                  position of the target token, where the model chooses between target and
                  rejection. It takes one forward pass.
`generate`        Each prompt has one expression. The model generates its answer token by token, and
                  the first target token in it counts; an answer without one finds nothing.
`teacher_forced`  One prompt has all expressions of an image, and the answer is given, including its
                  *true* target tokens; the decision is what the model would have generated in their
                  place. Published numbers of MLLMSeg and similar systems use this mode. It leaks:
                  each decision has seen the true ones before it, and all synonyms of an object are
                  in one prompt.

`metrics.json` stores the mode with the numbers.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor

from vgtoolbox.models.mllm.adapters.base import ImageFeatures, LMStates
from vgtoolbox.models.mllm.generation import BranchDecoder, GenerationStep
from vgtoolbox.models.mllm.model import MLLM
from vgtoolbox.models.mllm.packing import BranchedSequence, PackedBatch, TokenSequence, share_prefix
from vgtoolbox.models.mllm.token_states import TokenStates, image_states, states_predicting
from vgtoolbox.structures import ReferringPrompts, plain
from vgtoolbox.utils.choices import check_choice

AnswerMode = Literal["constrained", "generate", "teacher_forced"]
UnexpectedToken = Literal["accepts", "contradicts"]


@dataclass(frozen=True)
class Reading:
    """States of a language model for R rows, each of which shows one image.

    Attributes:
        states: States (R, L, H) of the rows.
        packed: Rows that the states belong to.
        image: Index (R,) of the image of each row, ascending.
    """

    states: LMStates
    packed: PackedBatch
    image: Tensor


@dataclass(frozen=True)
class ExpressionAnswers:
    """Answers of a language model to N expressions about I images, with M target tokens.

    Attributes:
        reading: States of the questions, and of the answers unless these were generated.
        tokens: States of the M target tokens, which are those that predict them. An expression has
            one, except that a generated answer may have none or several.
        expression: Index (M,) of the expression of each token, ascending.
        existence: Probability (N,) that there is a target.
        no_target: Decision (N,) bool that there is no target.
        texts: Generated text of each answer; `None` if the wording was given.
    """

    reading: Reading
    tokens: TokenStates
    expression: Tensor
    existence: Tensor
    no_target: Tensor
    texts: tuple[str | None, ...]

    def image_states(self, image_token_id: int, *, predicting: bool = False) -> Tensor:
        """Return the states (I, K, H) of the image tokens, see `token_states.image_states`."""
        reading = self.reading
        return image_states(
            reading.states.last, reading.packed, image_token_id, predicting=predicting
        )


@dataclass(frozen=True)
class ExpressionQuerier:
    """Querier of a language model about expressions, in any answer mode.

    Attributes:
        mllm: Language model.
        prompts: Wordings, of which the first question and the first answer are used.
        target: Token that represents a target.
        reject: Token that represents a rejection. If `None`, the model can't reject expressions.
        max_new_tokens: Maximum number of tokens of a generated answer.
        all_layers: Whether to return the states of every layer.
        unexpected_token: Meaning in mode "teacher_forced" of a token that is not the true one:
            "accepts" if any token except the rejecting one counts as the target token, as in
            MLLMSeg; "contradicts" if it counts as the opposite of the true one, as in GSVA and
            UGround.
    """

    mllm: MLLM
    prompts: ReferringPrompts
    target: str
    reject: str | None = None
    max_new_tokens: int = 64
    all_layers: bool = False
    unexpected_token: UnexpectedToken = "accepts"

    @property
    def token_ids(self) -> tuple[int, ...]:
        """Ids of the target token and of the rejecting token, if there is one."""
        names = (self.target,) if self.reject is None else (self.target, self.reject)
        return tuple(map(self.mllm.tokenizer.token_id, names))

    def ask(
        self,
        mode: AnswerMode,
        features: ImageFeatures,
        groups: Sequence[Sequence[str]],
        no_target: Sequence[Sequence[bool]] | None = None,
        sentences: Collection[str] = (),
    ) -> ExpressionAnswers:
        """Query the expressions of each of I images.

        Args:
            mode: Answer mode, see the module.
            features: Features of the I images.
            groups: Expressions of each image, one or more.
            no_target: True answer to each expression; needed and used by "teacher_forced" only.
            sentences: Expressions that are sentences, for which there may be other questions. In
                mode "teacher_forced", they have to be the only expression of their image for that.

        Raises:
            ValueError: The mode is unknown, or "teacher_forced" has no true answers.
        """
        check_choice("mode", mode, get_args(AnswerMode))
        if mode == "constrained":
            return self._constrained(features, groups, sentences)
        if mode == "generate":
            return self._generated(features, groups, sentences)
        if no_target is None:
            raise ValueError(
                "no_target must have the true answers in mode 'teacher_forced', got None; pass "
                "them, or choose another mode"
            )
        return self._teacher_forced(features, groups, no_target, sentences)

    def conversation(
        self,
        expressions: Sequence[str],
        num_image_tokens: int,
        *,
        no_target: Sequence[bool] = (),
        sentences: Collection[str] = (),
    ) -> TokenSequence:
        """Tokenize the question about some expressions with its answer.

        Args:
            expressions: One or more expressions.
            num_image_tokens: Number of image tokens in the question.
            no_target: Whether to reject each of the first expressions; others are accepted.
            sentences: Expressions that are sentences.
        """
        rejected = [*no_target, *[False] * (len(expressions) - len(no_target))]
        tokens = [str(self.reject) if missing else self.target for missing in rejected]
        question = self._question(expressions, sentences)
        turn = (question, self.prompts.answer(list(map(plain, expressions)), tokens))
        return self.mllm.encode_turns([turn], num_image_tokens)

    def _question(self, expressions: Sequence[str], sentences: Collection[str]) -> str:
        if len(expressions) == 1 and expressions[0] in sentences:
            return self.prompts.question_about(expressions[0])
        return self.prompts.question(expressions)

    def _constrained(
        self,
        features: ImageFeatures,
        groups: Sequence[Sequence[str]],
        sentences: Collection[str],
    ) -> ExpressionAnswers:
        num_tokens = features.tokens.shape[1]
        rows = [
            share_prefix(
                [
                    self._to_target(self.conversation([e], num_tokens, sentences=sentences))
                    for e in group
                ]
            )
            for group in groups
        ]
        reading = self._run(self.mllm.pack(rows), features)
        found = self._find(reading, self.token_ids[:1])
        existence, no_target = self._choose(found.states)
        return _one_token_each(reading, found, existence, no_target)

    def _teacher_forced(
        self,
        features: ImageFeatures,
        groups: Sequence[Sequence[str]],
        truth: Sequence[Sequence[bool]],
        sentences: Collection[str],
    ) -> ExpressionAnswers:
        num_tokens = features.tokens.shape[1]
        rows = [
            BranchedSequence(
                self.conversation(group, num_tokens, no_target=missing, sentences=sentences)
            )
            for group, missing in zip(groups, truth, strict=True)
        ]
        reading = self._run(self.mllm.pack(rows), features)
        found = self._find(reading, self.token_ids)
        existence, _ = self._choose(found.states)
        written = self.mllm.logits(found.states).argmax(-1)  # (N,)
        no_target = torch.zeros_like(written, dtype=torch.bool)
        if self.reject is not None and self.unexpected_token == "accepts":
            no_target = written == self.token_ids[1]
        elif self.reject is not None:
            no_target = (found.token_ids != self.token_ids[0]) ^ (written != found.token_ids)
        if bool((found.token_ids != self.token_ids[0]).any()):
            reading, found = self._with_targets_only(reading, found, features)
        return _one_token_each(reading, found, existence, no_target)

    def _with_targets_only(
        self, reading: Reading, found: TokenStates, features: ImageFeatures
    ) -> tuple[Reading, TokenStates]:
        """Replace each rejecting token by the target token and run the rows again.

        Every expression then has a mask ("re-evaluation" in the published code).
        """
        token_ids = reading.packed.token_ids.clone()
        token_ids[found.row, found.position] = self.token_ids[0]
        again = self._run(replace(reading.packed, token_ids=token_ids), features)
        return again, self._find(again, self.token_ids[:1])

    def _generated(
        self,
        features: ImageFeatures,
        groups: Sequence[Sequence[str]],
        sentences: Collection[str],
    ) -> ExpressionAnswers:
        num_tokens = features.tokens.shape[1]
        rows = [
            share_prefix(
                [
                    self.mllm.encode_question(self._question([e], sentences), num_tokens)
                    for e in group
                ]
            )
            for group in groups
        ]
        packed = self.mllm.pack(rows)
        decoder = BranchDecoder(
            self.mllm.adapter,
            packed,
            self.mllm.image_placeholders(features),
            self.mllm.valid_keys(packed, features),
            all_layers=self.all_layers,
        )
        places = _places(groups)
        written: list[list[int]] = [[] for _ in places]
        first: list[Tensor] = []
        found: list[list[TokenStates]] = [[] for _ in places]
        for step in decoder.generate(
            eos_id=self.mllm.tokenizer.eos_id, max_new_tokens=self.max_new_tokens
        ):
            alive, token_ids = step.alive.tolist(), step.token_ids.tolist()
            for i, (row, branch) in enumerate(places):
                if len(first) < len(places):
                    first.append(step.states[row, branch])
                if not alive[row][branch]:
                    continue
                token = token_ids[row][branch]
                if token in self.token_ids:
                    found[i].append(_token_state(step, row, branch, len(written[i])))
                written[i].append(token)
        return self._generated_answers(_reading(decoder.prefill, packed), first, found, written)

    def _generated_answers(
        self,
        reading: Reading,
        first: Sequence[Tensor],
        found: Sequence[Sequence[TokenStates]],
        written: Sequence[Sequence[int]],
    ) -> ExpressionAnswers:
        """Collect the target tokens of generated answers.

        Args:
            reading: States of the questions.
            first: State (H,) that predicts the first token of each answer.
            found: Target and rejecting tokens of each answer, in order.
            written: Ids of each answer.
        """
        deciding = [
            each[0].states[0] if each else state for each, state in zip(found, first, strict=True)
        ]
        existence, _ = self._choose(torch.stack(deciding))
        device = existence.device
        is_target = [
            [int(token.token_ids) == self.token_ids[0] for token in each] for each in found
        ]
        no_target = torch.tensor([not any(each) for each in is_target], device=device)
        # An answer that only rejects keeps its first token, so that its mask can be examined.
        kept = [
            [t for t, is_used in zip(each, used, strict=True) if is_used] or list(each[:1])
            for each, used in zip(found, is_target, strict=True)
        ]
        has_token = torch.tensor([bool(each) for each in kept], device=device)
        expression = [i for i, each in enumerate(kept) for _ in each]
        return ExpressionAnswers(
            reading=reading,
            tokens=_joined([t for each in kept for t in each], reading.states.last),
            expression=torch.tensor(expression, dtype=torch.long, device=device),
            existence=existence * has_token,
            no_target=no_target,
            texts=tuple(self.mllm.tokenizer.decode(each) for each in written),
        )

    def _run(self, packed: PackedBatch, features: ImageFeatures) -> Reading:
        return _reading(self.mllm.run(packed, features, all_layers=self.all_layers), packed)

    def _find(self, reading: Reading, token_ids: Sequence[int]) -> TokenStates:
        states = reading.states
        return states_predicting(states.last, reading.packed, token_ids, states.layers)

    def _choose(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Return the probability (N,) of target over rejection, and the decision (N,) to reject."""
        if self.reject is None:
            ones = states.new_ones(len(states))
            return ones, ones < 0
        logits = self.mllm.logits(states)[:, list(self.token_ids)].float()  # (N, 2)
        return logits.softmax(1)[:, 0], logits[:, 1] > logits[:, 0]

    def _to_target(self, conversation: TokenSequence) -> TokenSequence:
        """Cut a conversation after its target token, because later tokens have no influence."""
        return conversation[: conversation.token_ids.index(self.token_ids[0]) + 1]


def _places(groups: Sequence[Sequence[str]]) -> list[tuple[int, int]]:
    """Return row and branch of each expression."""
    return [(row, branch) for row, group in enumerate(groups) for branch in range(len(group))]


def _reading(states: LMStates, packed: PackedBatch) -> Reading:
    """Return the states of rows, the i-th of which shows the i-th image."""
    return Reading(states, packed, torch.arange(len(states.last), device=states.last.device))


def _one_token_each(
    reading: Reading, tokens: TokenStates, existence: Tensor, no_target: Tensor
) -> ExpressionAnswers:
    """Return answers with one token per expression and without generated text."""
    expression = torch.arange(len(tokens), device=existence.device)
    texts = (None,) * len(tokens)
    return ExpressionAnswers(reading, tokens, expression, existence, no_target, texts)


def _token_state(step: GenerationStep, row: int, branch: int, position: int) -> TokenStates:
    """Return the states of a generated token; its position is that in its answer."""
    device = step.states.device
    return TokenStates(
        step.states[row, branch][None],
        torch.tensor([row], device=device),
        torch.tensor([position], device=device),
        step.token_ids[row, branch][None],
        None if step.layers is None else step.layers[row, branch][None],
    )


def _joined(tokens: Sequence[TokenStates], states: Tensor) -> TokenStates:
    """Concatenate tokens; if there are none, the result is empty and on the device of `states`."""
    if not tokens:
        index = torch.zeros(0, dtype=torch.long, device=states.device)
        return TokenStates(states.new_zeros(0, states.shape[-1]), index, index, index)
    layers = [each.layers for each in tokens if each.layers is not None]
    return TokenStates(
        torch.cat([each.states for each in tokens]),
        torch.cat([each.row for each in tokens]),
        torch.cat([each.position for each in tokens]),
        torch.cat([each.token_ids for each in tokens]),
        torch.cat(layers) if layers else None,
    )
