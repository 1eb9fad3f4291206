"""How a language model is asked about expressions, and what counts as its answer.

`constrained`     One expression a prompt. The answer's wording is given up to the place of the
                  target token, where the model chooses between "there" and "not there". One pass.
`generate`        One expression a prompt. The model writes its answer, token by token, and the
                  first target token in it counts; an answer without one finds nothing.
`teacher_forced`  All expressions of an image in one prompt, with the answer given, its *true*
                  target tokens included; asked is what the model would have put there. Published
                  numbers of MLLMSeg and its kin are of this kind. It leaks: each decision has read
                  the true ones before it, and all synonyms of an object stand in one prompt.

The choice stands beside every number, in `metrics.json`.
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
from vgtoolbox.models.mllm.packing import Encoded, PackedBatch, Row, share_prefix
from vgtoolbox.models.mllm.token_states import TokenStates, image_states, states_predicting

Protocol = Literal["constrained", "generate", "teacher_forced"]


@dataclass(frozen=True)
class Answers:
    """What a model answered to N expressions about I images.

    Attributes:
        queries: (N, H), the states that ask for a mask: those that predict the target token.
        semantic: (I, K, H), states of the image tokens.
        existence: (N,), probability that there is a target.
        no_target: (N,) bool, the decision.
        texts: What was written; None where the wording was given.
    """

    queries: Tensor
    semantic: Tensor
    existence: Tensor
    no_target: Tensor
    texts: tuple[str | None, ...]


@dataclass(frozen=True)
class ExpressionQuerier:
    """Asks a language model about expressions, in any protocol.

    Attributes:
        mllm: The model.
        prompts: The first question and the first answer are used.
        target: The token that stands for a target.
        reject: The one that stands for "not there"; None where the model has none.
        shift_image_states: Read image states one position early.
        max_new_tokens: Of a generated answer.
    """

    mllm: MLLM
    prompts: ReferringPrompts
    target: str
    reject: str | None = None
    shift_image_states: bool = False
    max_new_tokens: int = 64

    @property
    def token_ids(self) -> tuple[int, ...]:
        """Ids of the target token and of the one that rejects, where there is one."""
        names = (self.target,) if self.reject is None else (self.target, self.reject)
        return tuple(map(self.mllm.tokenizer.token_id, names))

    def ask(
        self,
        protocol: Protocol,
        features: ImageFeatures,
        groups: Sequence[Sequence[str]],
        no_target: Sequence[Sequence[bool]] | None = None,
    ) -> Answers:
        """Ask about the expressions of each of I images.

        Args:
            protocol: See the module.
            features: Of the I images.
            groups: Expressions of each image, one or more.
            no_target: The truth about each; read by "teacher_forced" alone.
        """
        if protocol == "constrained":
            return self._constrained(features, groups)
        if protocol == "generate":
            return self._generated(features, groups)
        if no_target is None:
            raise ValueError("protocol 'teacher_forced' needs the true answers")
        return self._teacher_forced(features, groups, no_target)

    def conversation(
        self, expressions: Sequence[str], num_image_tokens: int, *, no_target: Sequence[bool] = ()
    ) -> Encoded:
        """Tokenise the question about some expressions with its answer."""
        rejected = [*no_target, *[False] * (len(expressions) - len(no_target))]
        tokens = [str(self.reject) if missing else self.target for missing in rejected]
        expressions = list(map(plain, expressions))
        turn = (self.prompts.question(expressions), self.prompts.answer(expressions, tokens))
        return self.mllm.encode_turns([turn], num_image_tokens)

    def _constrained(self, features: ImageFeatures, groups: Sequence[Sequence[str]]) -> Answers:
        num_tokens = features.tokens.shape[1]
        rows = [
            share_prefix([self._to_target(self.conversation([e], num_tokens)) for e in group])
            for group in groups
        ]
        packed = self.mllm.pack(rows)
        states = self.mllm.run(packed, features).last
        found = states_predicting(states, packed, self.token_ids[:1])
        existence, no_target = self._choose(found.states)
        texts = (None,) * len(existence)
        return Answers(found.states, self._semantic(states, packed), existence, no_target, texts)

    def _teacher_forced(
        self,
        features: ImageFeatures,
        groups: Sequence[Sequence[str]],
        truth: Sequence[Sequence[bool]],
    ) -> Answers:
        num_tokens = features.tokens.shape[1]
        rows = [
            Row(self.conversation(group, num_tokens, no_target=missing))
            for group, missing in zip(groups, truth, strict=True)
        ]
        packed = self.mllm.pack(rows)
        states = self.mllm.run(packed, features).last
        found = states_predicting(states, packed, self.token_ids)
        existence, _ = self._choose(found.states)
        # Any token but the one that rejects counts as the target token.
        written = self.mllm.logits(found.states).argmax(-1)
        no_target = torch.zeros_like(written, dtype=torch.bool)
        if self.reject is not None:
            no_target = written == self.token_ids[1]
        queries = self._masks_for_all(packed, features, found)
        texts = (None,) * len(existence)
        return Answers(queries, self._semantic(states, packed), existence, no_target, texts)

    def _masks_for_all(
        self, packed: PackedBatch, features: ImageFeatures, found: TokenStates
    ) -> Tensor:
        """Return queries of all targets, by a second pass where some are rejected in the first.

        In it each rejecting token is a target token, so that every expression has a mask
        ("re-evaluation" in the published code).
        """
        if bool((found.token_ids == self.token_ids[0]).all()):
            return found.states
        token_ids = packed.token_ids.clone()
        token_ids[found.row, found.position] = self.token_ids[0]
        packed = replace(packed, token_ids=token_ids)
        states = self.mllm.run(packed, features).last
        return states_predicting(states, packed, self.token_ids[:1]).states

    def _generated(self, features: ImageFeatures, groups: Sequence[Sequence[str]]) -> Answers:
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
        for step in decoder.emissions(
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
        states = torch.stack([queries[i] for i in range(len(written))])
        existence, _ = self._choose(states)
        has_token = torch.tensor([i in rejected for i in range(len(written))])
        no_target = torch.tensor([rejected.get(i, True) for i in range(len(written))])
        return Answers(
            queries=states,
            semantic=self._semantic(decoder.prefill.last, packed),
            existence=existence * has_token.to(existence.device),
            no_target=no_target.to(states.device),
            texts=tuple(map(self.mllm.tokenizer.decode, written)),
        )

    def _choose(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Return the probability of a target against rejection, and whether it is rejected."""
        if self.reject is None:
            ones = states.new_ones(len(states))
            return ones, ones < 0
        logits = self.mllm.logits(states)[:, list(self.token_ids)].float()
        return logits.softmax(1)[:, 0], logits[:, 1] > logits[:, 0]

    def _semantic(self, states: Tensor, packed: PackedBatch) -> Tensor:
        return image_states(
            states, packed, self.mllm.image_token_id, predicting=self.shift_image_states
        )

    def _to_target(self, conversation: Encoded) -> Encoded:
        """Cut a conversation behind its target token: nothing after it is asked."""
        return conversation[: conversation.token_ids.index(self.token_ids[0]) + 1]


def check_protocol(protocol: str) -> Protocol:
    """Return the protocol of that name.

    Raises:
        ValueError: There is none.
    """
    if protocol not in get_args(Protocol):
        raise ValueError(f"protocol must be one of {get_args(Protocol)}, got {protocol!r}")
    return protocol  # type: ignore[return-value]


def _places(groups: Sequence[Sequence[str]]) -> list[tuple[int, int]]:
    """Return row and branch of each expression."""
    return [(row, branch) for row, group in enumerate(groups) for branch in range(len(group))]
