import torch

from vgtoolbox.models.heads import PatchMaskHead
from vgtoolbox.structures import BatchTargets

LOSS = {"type": "FocalDiceLoss"}


def test_channels_of_a_cell_fill_its_patch_row_by_row():
    head = PatchMaskHead(in_channels=4, patch_size=2, loss=LOSS).eval()
    with torch.no_grad():
        convolution = head.patches[0]  # batch norm starts as the identity
        convolution.weight.copy_(torch.eye(4)[..., None, None])
        convolution.bias.zero_()
        head.smooth.weight.zero_()[..., 2, 2] = 1
        head.smooth.bias.zero_()
        features = torch.zeros(1, 4, 2, 3)
        features[0, :, 1, 2] = torch.tensor([1.0, 2.0, 3.0, 4.0])
        mask_logits = head(features)
    assert mask_logits.shape == (1, 1, 4, 6)
    torch.testing.assert_close(
        mask_logits[0, 0, 2:, 4:], torch.tensor([[1.0, 2.0], [3.0, 4.0]]), atol=1e-4, rtol=0
    )
    assert mask_logits.count_nonzero() == 4


def test_mask_is_compared_with_the_union_of_the_targets():
    head = PatchMaskHead(in_channels=4, patch_size=2, loss=LOSS)
    masks = torch.zeros(1, 2, 4, 4, dtype=torch.bool)
    masks[0, 0, :2], masks[0, 1, 2:, :2] = True, True
    targets = BatchTargets(torch.zeros(1, 2, 4), masks, torch.ones(1, 2, dtype=torch.bool))
    union = masks.any(1)
    perfect, wrong = (
        head.loss(50.0 * (2 * m.float() - 1)[:, None], targets) for m in (union, ~union)
    )
    assert all(float(loss) < 1e-3 for loss in perfect.values())
    assert all(wrong[name] > 0.5 for name in perfect)
