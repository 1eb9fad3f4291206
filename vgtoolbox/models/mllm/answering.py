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

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor

from vgtoolbox.models.mllm.adapters.base import ImageFeatures
from vgtoolbox.models.mllm.chat_template import ReferringPrompts, plain
from vgtoolbox.models.mllm.generation import BranchDecoder
from vgtoolbox.models.mllm.model import MLLM
from vgtoolbox.models.mllm.packing import BranchedSequence, PackedBatch, TokenSequence, share_prefix
from vgtoolbox.models.mllm.token_states import TokenStates, image_states, states_predicting
from vgtoolbox.utils.choices import check_choice

AnswerMode = Literal["constrained", "generate", "teacher_forced"]


@dataclass(frozen=True)
class ExpressionAnswers:
    """Answers of a language model to N expressions about I images.

    Attributes:
        queries: States (N, H) that query a mask, which are those that predict the target token.
        semantic: States (I, K, H) of the image tokens.
        existence: Probability (N,) that there is a target.
        no_target: Decision (N,) bool that there is no target.
        texts: Generated text of each answer; `None` if the wording was given.
    """

    queries: Tensor
    semantic: Tensor
    existence: Tensor
    no_target: Tensor
    texts: tuple[str | None, ...]


@dataclass(frozen=True)
class ExpressionQuerier:
    """Querier of a language model about expressions, in any answer mode.

    Attributes:
        mllm: Language model.
        prompts: Wordings, of which the first question and the first answer are used.
        target: Token that represents a target.
        reject: Token that represents a rejection. If `None`, the model can't reject expressions.
        shift_image_states: Whether to read the states of image tokens one position early.
        max_new_tokens: Maximum number of tokens of a generated answer.
    """

    mllm: MLLM
    prompts: ReferringPrompts
    target: str
    reject: str | None = None
    shift_image_states: bool = False
    max_new_tokens: int = 64

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
    ) -> ExpressionAnswers:
        """Query the expressions of each of I images.

        Args:
            mode: Answer mode, see the module.
            features: Features of the I images.
            groups: Expressions of each image, one or more.
            no_target: True answer to each expression; needed and used by "teacher_forced" only.

        Raises:
            ValueError: The mode is unknown, or "teacher_forced" has no true answers.
        """
        check_choice("mode", mode, get_args(AnswerMode))
        if mode == "constrained":
            return self._constrained(features, groups)
        if mode == "generate":
            return self._generated(features, groups)
        if no_target is None:
            raise ValueError(
                "no_target must have the true answers in mode 'teacher_forced', got None; pass "
                "them, or choose another mode"
            )
        return self._teacher_forced(features, groups, no_target)

    def conversation(
        self, expressions: Sequence[str], num_image_tokens: int, *, no_target: Sequence[bool] = ()
    ) -> TokenSequence:
        """Tokenize the question about some expressions with its answer.

        Args:
            expressions: One or more expressions.
            num_image_tokens: Number of image tokens in the question.
            no_target: Whether to reject each of the first expressions; others are accepted.
        """
        rejected = [*no_target, *[False] * (len(expressions) - len(no_target))]
        tokens = [str(self.reject) if missing else self.target for missing in rejected]
        expressions = list(map(plain, expressions))
        turn = (self.prompts.question(expressions), self.prompts.answer(expressions, tokens))
        return self.mllm.encode_turns([turn], num_image_tokens)

    def _constrained(
        self, features: ImageFeatures, groups: Sequence[Sequence[str]]
    ) -> ExpressionAnswers:
        num_tokens = features.tokens.shape[1]
        rows = [
            share_prefix([self._to_target(self.conversation([e], num_tokens)) for e in group])
            for group in groups
        ]
        packed = self.mllm.pack(rows)
        states = self.mllm.run(packed, features).last  # (B, L, H)
        found = states_predicting(states, packed, self.token_ids[:1])
        existence, no_target = self._choose(found.states)
        texts = (None,) * len(existence)
        return ExpressionAnswers(
            found.states, self._semantic(states, packed), existence, no_target, texts
        )

    def _teacher_forced(
        self,
        features: ImageFeatures,
        groups: Sequence[Sequence[str]],
        truth: Sequence[Sequence[bool]],
    ) -> ExpressionAnswers:
        num_tokens = features.tokens.shape[1]
        rows = [
            BranchedSequence(self.conversation(group, num_tokens, no_target=missing))
            for group, missing in zip(groups, truth, strict=True)
        ]
        packed = self.mllm.pack(rows)
        states = self.mllm.run(packed, features).last  # (B, L, H)
        found = states_predicting(states, packed, self.token_ids)
        existence, _ = self._choose(found.states)
        # Any token except the rejecting one counts as the target token.
        written = self.mllm.logits(found.states).argmax(-1)  # (N,)
        no_target = torch.zeros_like(written, dtype=torch.bool)
        if self.reject is not None:
            no_target = written == self.token_ids[1]
        queries = self._masks_for_all(packed, features, found)
        texts = (None,) * len(existence)
        return ExpressionAnswers(
            queries, self._semantic(states, packed), existence, no_target, texts
        )

    def _masks_for_all(
        self, packed: PackedBatch, features: ImageFeatures, found: TokenStates
    ) -> Tensor:
        """Return queries of all targets, by a second pass if the first has rejecting tokens.

        The second pass replaces each rejecting token by the target token, so that every expression
        has a mask ("re-evaluation" in the published code).
        """
        if bool((found.token_ids == self.token_ids[0]).all()):
            return found.states
        token_ids = packed.token_ids.clone()
        token_ids[found.row, found.position] = self.token_ids[0]
        packed = replace(packed, token_ids=token_ids)
        states = self.mllm.run(packed, features).last  # (B, L, H)
        return states_predicting(states, packed, self.token_ids[:1]).states

    def _generated(
        self, features: ImageFeatures, groups: Sequence[Sequence[str]]
    ) -> ExpressionAnswers:
        num_tokens = features.tokens.shape[1]
        rows = [
            share_prefix(
                [self.mllm.encode_question(self.prompts.question([e]), num_tokens) for e in group]
            )
            for group in groups
        ]
        packed = self.mllm.pack(rows)
        decoder = BranchDecoder(self.mllm.adapter, packed, self.mllm.image_placeholders(features))
        written: list[list[int]] = [[] for group in groups for _ in group]
        queries: dict[int, Tensor] = {}
        rejected: dict[int, bool] = {}
        for step in decoder.generate(
            eos_id=self.mllm.tokenizer.eos_id, max_new_tokens=self.max_new_tokens
        ):
            for i, (row, branch) in enumerate(_places(groups)):
                if not bool(step.alive[row, branch]):
                    continue
                token = int(step.token_ids[row, branch])
                written[i].append(token)
                queries.setdefault(i, step.states[row, branch])
                if i not in rejected and token in self.token_ids:
                    queries[i] = step.states[row, branch]
                    rejected[i] = token != self.token_ids[0]
        states = torch.stack([queries[i] for i in range(len(written))])  # (N, H)
        existence, _ = self._choose(states)
        has_token = torch.tensor([i in rejected for i in range(len(written))])
        no_target = torch.tensor([rejected.get(i, True) for i in range(len(written))])
        return ExpressionAnswers(
            queries=states,
            semantic=self._semantic(decoder.prefill.last, packed),
            existence=existence * has_token.to(existence.device),
            no_target=no_target.to(states.device),
            texts=tuple(map(self.mllm.tokenizer.decode, written)),
        )

    def _choose(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Return the probability (N,) of target over rejection, and the decision (N,) to reject."""
        if self.reject is None:
            ones = states.new_ones(len(states))
            return ones, ones < 0
        logits = self.mllm.logits(states)[:, list(self.token_ids)].float()  # (N, 2)
        return logits.softmax(1)[:, 0], logits[:, 1] > logits[:, 0]

    def _semantic(self, states: Tensor, packed: PackedBatch) -> Tensor:
        return image_states(
            states, packed, self.mllm.image_token_id, predicting=self.shift_image_states
        )

    def _to_target(self, conversation: TokenSequence) -> TokenSequence:
        """Cut a conversation after its target token, because later tokens have no influence."""
        return conversation[: conversation.token_ids.index(self.token_ids[0]) + 1]


def _places(groups: Sequence[Sequence[str]]) -> list[tuple[int, int]]:
    """Return row and branch of each expression."""
    return [(row, branch) for row, group in enumerate(groups) for branch in range(len(group))]
