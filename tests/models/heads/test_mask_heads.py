import pytest
import torch

from vgtoolbox.models.heads import QueryMaskHead, SemanticMaskHead
from vgtoolbox.models.losses import MaskLoss
from vgtoolbox.models.matchers import Matches

LOSS = {"type": "MaskLoss"}
SIZE = 32


def _matches(*pairs):
    index = torch.tensor(pairs, dtype=torch.long).reshape(-1, 3)
    return Matches(batch=index[:, 0], query=index[:, 1], target=index[:, 2])


@pytest.fixture
def mask_logits():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, SIZE, SIZE, generator=generator).requires_grad_()


class TestQueryMaskHead:
    def test_mask_is_the_product_of_query_and_pixels(self):
        queries, pixels = torch.randn(2, 3, 8), torch.randn(2, 8, 4, 5)
        masks = QueryMaskHead(loss=LOSS)(queries, pixels, (4, 5))
        assert masks.shape == (2, 3, 4, 5)
        assert masks[1, 2, 3, 4].item() == pytest.approx(
            float(queries[1, 2] @ pixels[1, :, 3, 4]), rel=1e-4
        )

    def test_masks_are_upsampled_with_aligned_corners(self):
        queries, pixels = torch.randn(1, 2, 8), torch.randn(1, 8, 4, 4)
        head = QueryMaskHead(loss=LOSS)
        small, large = head(queries, pixels, (4, 4)), head(queries, pixels, (16, 16))
        assert large.shape == (1, 2, 16, 16)
        torch.testing.assert_close(large[..., ::15, ::15], small[..., ::3, ::3])

    def test_matched_queries_are_compared_with_their_targets(self, mask_logits, make_targets):
        targets = make_targets((2, 1))
        losses = QueryMaskHead(loss=LOSS, background_weight=0.2).loss(
            mask_logits, _matches((0, 1, 0), (0, 0, 1), (1, 2, 0)), targets
        )
        matched = torch.stack([mask_logits[0, 1], mask_logits[0, 0], mask_logits[1, 2]])
        expected = torch.stack([targets.masks[0, 0], targets.masks[0, 1], targets.masks[1, 0]])
        torch.testing.assert_close(losses["loss_instance_mask"], MaskLoss()(matched, expected))
        free = torch.stack([mask_logits[0, 2], mask_logits[1, 0], mask_logits[1, 1]])
        expected = 0.2 * MaskLoss()(free, torch.zeros_like(free))
        torch.testing.assert_close(losses["loss_background_mask"], expected)

    def test_without_targets_only_the_background_loss_is_positive(self, mask_logits, make_targets):
        losses = QueryMaskHead(loss=LOSS).loss(mask_logits, _matches(), make_targets((0, 0)))
        assert losses["loss_instance_mask"].item() == 0
        assert losses["loss_background_mask"] > 0
        sum(losses.values()).backward()
        assert mask_logits.grad.isfinite().all()

    def test_background_loss_is_zero_if_every_query_is_matched(self, mask_logits, make_targets):
        every = _matches(*((b, q, q) for b in range(2) for q in range(3)))
        losses = QueryMaskHead(loss=LOSS).loss(mask_logits, every, make_targets((3, 3)))
        assert losses["loss_background_mask"].item() == 0
        sum(losses.values()).backward()
        assert mask_logits.grad.isfinite().all()

    def test_background_loss_can_be_disabled(self, mask_logits, make_targets):
        head = QueryMaskHead(loss=LOSS, background_weight=0.0)
        losses = head.loss(mask_logits, _matches((0, 0, 0)), make_targets((1, 0)))
        assert set(losses) == {"loss_instance_mask"}


class TestSemanticMaskHead:
    def test_mask_has_the_requested_size(self):
        head = SemanticMaskHead(channels=8, loss=LOSS)
        assert head(torch.randn(2, 8, 4, 5), (16, 20)).shape == (2, 1, 16, 20)

    def test_mask_is_compared_with_the_union_of_the_targets(self, mask_logits, make_targets):
        targets = make_targets((3, 0))
        head = SemanticMaskHead(channels=8, loss=LOSS)
        loss = head.loss(mask_logits[:, :1], targets)["loss_semantic_mask"]
        union = targets.masks[0, 0] | targets.masks[0, 1] | targets.masks[0, 2]
        expected = torch.stack([union, torch.zeros_like(union)])
        torch.testing.assert_close(loss, MaskLoss()(mask_logits[:, 0], expected))

    def test_a_batch_without_targets_has_a_finite_loss(self, mask_logits, make_targets):
        head = SemanticMaskHead(channels=8, loss=LOSS)
        loss = head.loss(mask_logits[:, :1], make_targets((0, 0)))["loss_semantic_mask"]
        loss.backward()
        assert loss.isfinite()
        assert mask_logits.grad.isfinite().all()
