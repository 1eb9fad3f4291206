import copy

import torch
from torch import nn

from vgtoolbox.models.layers import ConstantCache


class _Ramp(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))
        self.cache = ConstantCache()
        self.made = 0

    def forward(self):
        return self.weight * self.cache.get((3, self.weight.device), self._make)

    def _make(self):
        self.made += 1
        return torch.arange(3.0)


def test_each_key_is_computed_once():
    cache, made = ConstantCache(), []
    values = [cache.get(key, lambda: made.append(0) or torch.ones(1)) for key in "aab"]
    assert len(made) == 2
    assert values[0] is values[1]
    assert values[0] is not values[2]


def test_a_tensor_made_in_inference_mode_can_be_used_in_training():
    module = _Ramp()
    with torch.inference_mode():
        module()
    module().sum().backward()
    assert module.weight.grad.tolist() == [0, 1, 2]
    assert module.made == 1


def test_a_traced_tensor_is_not_cached():
    module = _Ramp()
    exported = torch.export.export(module, ())
    assert torch.equal(module(), torch.arange(3.0))
    assert torch.equal(exported.module()(), torch.arange(3.0))
    assert type(module.cache.get((3, module.weight.device), torch.empty)) is torch.Tensor


def test_the_cache_is_not_in_the_state_dict_and_can_be_copied():
    module = _Ramp()
    module()
    assert list(module.state_dict()) == ["weight"]
    assert torch.equal(copy.deepcopy(module)(), module())
