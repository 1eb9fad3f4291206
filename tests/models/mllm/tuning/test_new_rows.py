import pytest
import torch
from torch import nn
from torch.nn import functional as F

from vgtoolbox.models.mllm.tuning.new_rows import NewRowsEmbedding, NewRowsLinear, extend_rows


def test_outputs_equal_those_of_the_whole_matrix():
    weight = torch.randn(7, 4)
    ids, states = torch.tensor([[0, 6, 5], [2, 4, 1]]), torch.randn(3, 4)
    embedding, linear = NewRowsEmbedding(weight, 2), NewRowsLinear(weight, 2)
    torch.testing.assert_close(embedding(ids), F.embedding(ids, weight))
    torch.testing.assert_close(linear(states), states @ weight.T)


def test_new_rows_in_single_precision_and_others_in_half():
    weight = torch.randn(7, 4).bfloat16()
    embedding, linear = NewRowsEmbedding(weight, 2), NewRowsLinear(weight, 2)
    for module in (embedding, linear):
        module.new.data = module.new.data.float()
    ids, states = torch.tensor([0, 6]), torch.randn(3, 4).bfloat16()
    assert torch.equal(embedding(ids), F.embedding(ids, weight))
    assert linear(states).dtype == torch.bfloat16
    linear(embedding(ids)).sum().backward()
    assert linear.new.grad.dtype == embedding.new.grad.dtype == torch.float32


def test_only_the_new_rows_are_trained():
    weight = torch.randn(7, 4)
    model = nn.ModuleList([NewRowsEmbedding(weight, 2), NewRowsLinear(weight, 2)])
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 0.1)
    model[1](model[0](torch.tensor([0, 6]))).square().sum().backward()
    optimizer.step()
    for module in model:
        assert torch.equal(module.weight[:5], weight[:5])
        assert not torch.equal(module.weight[5:], weight[5:])


def test_the_state_dict_is_that_of_a_plain_module():
    module, plain = NewRowsEmbedding(torch.randn(7, 4), 3), nn.Embedding(7, 4)
    assert set(module.state_dict()) == {"weight"}
    plain.load_state_dict(module.state_dict())
    other = NewRowsEmbedding(torch.zeros(7, 4), 3)
    other.load_state_dict(plain.state_dict())
    assert torch.equal(other.weight, module.weight)


def test_missing_weights_are_reported():
    module = NewRowsEmbedding(torch.randn(7, 4), 3)
    with pytest.raises(RuntimeError, match="Missing key"):
        module.load_state_dict({})


def test_new_output_rows_start_as_the_mean():
    weight = torch.randn(5, 4)
    longer = extend_rows(weight, 7, output=True)
    assert torch.equal(longer[:5], weight)
    torch.testing.assert_close(longer[5:], weight.mean(0).expand(2, -1))
    assert extend_rows(weight, 5, output=True) is weight
    assert extend_rows(weight, 6, output=False, std=1e-3)[5].abs().max() < 0.01
    with pytest.raises(ValueError, match="at most 4 rows, got 5"):
        extend_rows(weight, 4, output=True)


@pytest.mark.parametrize("number", [0, 7])
def test_invalid_numbers_of_rows(number):
    with pytest.raises(ValueError, match=r"num_new must be between 1 and 6"):
        NewRowsEmbedding(torch.zeros(7, 4), number)
