"""Answer modes, generation, and a small grounder that shares no code with MLLMSeg."""

import pytest
import torch
from torch import nn

from vgtoolbox.models.grounders import BaseGrounder
from vgtoolbox.models.mllm import BranchedSequence, share_prefix
from vgtoolbox.models.mllm.answering import ExpressionQuerier
from vgtoolbox.models.mllm.generation import BranchDecoder
from vgtoolbox.models.mllm.grouping import group_images
from vgtoolbox.structures import ReferringPrompts

GROUPS = [["the red circle", "all shapes", "red"], ["a big blue square on the left"]]
PROMPTS = ReferringPrompts(questions=("<image>{expressions}",), answers=(("", "{token}"),), end="")


@pytest.fixture
def querier(build_mllmseg):
    mllm = build_mllmseg(mllm={"adapter": {"text_config": {"initializer_range": 0.3}}}).mllm
    return ExpressionQuerier(mllm.eval(), PROMPTS, target="[SEG]", reject="[REJ]", max_new_tokens=6)


@pytest.fixture
def features(querier):
    with torch.no_grad():
        return querier.mllm.encode_images(torch.randn(2, 3, 32, 32))


def pick(features, image):
    return type(features)(
        features.patches[image : image + 1], features.grid, features.tokens[image : image + 1]
    )


@torch.no_grad()
@pytest.mark.parametrize("mode", ["constrained", "generate"])
def test_a_batch_equals_single_queries(querier, features, mode):
    head = querier.mllm.adapter.model.get_output_embeddings()
    head.weight[querier.token_ids[0]] *= 6.0  # so that some answers have several target tokens
    together = querier.ask(mode, features, GROUPS)
    places = [(image, e) for image, group in enumerate(GROUPS) for e in group]
    counts = []
    for i, (image, expression) in enumerate(places):
        one = querier.ask(mode, pick(features, image), [[expression]])
        tokens = together.tokens[together.expression == i]
        torch.testing.assert_close(tokens.states, one.tokens.states, rtol=0, atol=1e-5)
        torch.testing.assert_close(together.existence[i], one.existence[0], rtol=0, atol=1e-5)
        assert together.no_target[i] == one.no_target[0]
        assert together.texts[i] == one.texts[0]
        image_token = querier.mllm.image_token_id
        torch.testing.assert_close(
            together.image_states(image_token)[image],
            one.image_states(image_token)[0],
            rtol=0,
            atol=1e-5,
        )
        counts.append(len(tokens))
    assert (set(counts) == {1}) if mode == "constrained" else (max(counts) > 1)


@torch.no_grad()
def test_a_single_expression_does_not_read_its_true_answer(querier, features):
    """With one expression, no true token precedes the decision."""
    constrained = querier.ask("constrained", pick(features, 1), GROUPS[1:])
    for truth in (False, True):
        forced = querier.ask("teacher_forced", pick(features, 1), GROUPS[1:], [[truth]])
        torch.testing.assert_close(
            forced.tokens.states, constrained.tokens.states, rtol=0, atol=1e-5
        )
        torch.testing.assert_close(forced.existence, constrained.existence, rtol=0, atol=1e-5)


@torch.no_grad()
def test_rejected_targets_have_masks_by_a_second_pass(querier, features):
    no_target = [[False, True, False], [True]]
    forced = querier.ask("teacher_forced", features, GROUPS, no_target)
    accepted = querier.ask("teacher_forced", features, GROUPS, [[False] * 3, [False]])
    torch.testing.assert_close(forced.tokens.states, accepted.tokens.states, rtol=0, atol=1e-5)
    # The decision is that of the first pass, which has read the true tokens before it.
    assert torch.equal(forced.existence[:2], accepted.existence[:2])
    assert not torch.equal(forced.existence[2], accepted.existence[2])


@torch.no_grad()
def test_generation_equals_greedy_forward_passes(querier, features):
    mllm = querier.mllm
    questions = [mllm.encode_question(f"<image>{e}", 4) for e in GROUPS[0]]
    head = mllm.adapter.model.get_output_embeddings()
    head.weight[mllm.image_token_id] = 0.0  # it would ask for one more image
    rows = [share_prefix(questions)]
    decoder = BranchDecoder(
        mllm.adapter, mllm.pack(rows), mllm.image_placeholders(pick(features, 0))
    )
    steps = list(decoder.generate(eos_id=-1, max_new_tokens=4))
    for branch, question in enumerate(questions):
        ids = list(question.token_ids)
        for step in steps:
            packed = mllm.pack([BranchedSequence(type(question)(tuple(ids), (-100,) * len(ids)))])
            state = mllm.run(packed, pick(features, 0)).last[0, -1]
            torch.testing.assert_close(step.states[0, branch], state, rtol=0, atol=1e-4)
            assert int(step.token_ids[0, branch]) == int(mllm.logits(state).argmax())
            ids.append(int(step.token_ids[0, branch]))


@torch.no_grad()
def test_an_answer_without_a_target_token_finds_nothing(querier, features):
    head = querier.mllm.adapter.model.get_output_embeddings()
    head.weight[list(querier.token_ids)] = 0.0
    head.weight[querier.mllm.tokenizer.eos_id] = 0.0
    answers = querier.ask("generate", features, GROUPS)
    assert bool(answers.no_target.all())
    assert answers.existence.tolist() == [0.0] * 4
    assert all(isinstance(text, str) for text in answers.texts)


def test_unknown_mode_and_missing_true_answers(querier, features):
    with pytest.raises(ValueError, match="mode must be 'constrained', 'generate' or"):
        querier.ask("beam", features, GROUPS)
    with pytest.raises(ValueError, match="no_target must have the true answers"):
        querier.ask("teacher_forced", features, GROUPS)


class ToyPointer(BaseGrounder):
    """Point at a target by the dot product of its token state with the states of image tokens."""

    def __init__(self, mllm):
        super().__init__()
        self.mllm = mllm
        self.scale = nn.Parameter(torch.ones(()))
        self.querier = ExpressionQuerier(mllm, PROMPTS, target="[SEG]")

    def tensor(self, inputs):
        groups = group_images(inputs)
        features = self.mllm.encode_images(groups.inputs["images"])
        answers = self.querier.ask("constrained", features, inputs["expressions"])
        semantic = answers.image_states(self.mllm.image_token_id)[list(groups.index)]
        return self.scale * torch.einsum("nh,nkh->nk", answers.tokens.states, semantic)

    def loss(self, inputs, data_samples):
        scores = self.tensor(inputs)
        return {"loss_point": nn.functional.cross_entropy(scores, inputs["cells"])}

    def predict(self, inputs, data_samples):
        for sample, cell in zip(data_samples, self.tensor(inputs).argmax(1), strict=True):
            sample.set_metainfo({"cell": int(cell)})
        return list(data_samples)


def test_another_grounder_on_the_same_base(build_mllmseg, make_conversations):
    torch.manual_seed(0)
    model = ToyPointer(build_mllmseg().mllm)
    inputs, samples = make_conversations((3, 1))
    inputs |= {"expressions": GROUPS, "cells": torch.tensor([0, 1, 2, 3])}
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    first = None
    for _ in range(40):
        loss = model(inputs, samples, mode="loss")["loss_point"]
        first = first or float(loss.detach())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.5 * first
    with torch.no_grad():
        cells = [sample.cell for sample in model(inputs, samples, mode="predict")]
    assert cells == [0, 1, 2, 3]
