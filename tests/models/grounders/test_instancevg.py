from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from torch import nn

from vgtoolbox.registry import MODELS
from vgtoolbox.structures import GroundingDataSample, rle_areas

ROOT = Path(__file__).resolve().parents[3]
PUBLISHED = ROOT / "configs" / "gres" / "InstanceVG-grefcoco.py"
TERMS = ("loss_class", "loss_l1", "loss_giou")
LOSSES = {
    *(prefix + term for prefix in ("d0.", "d1.", "") for term in TERMS),
    "loss_instance_mask",
    "loss_background_mask",
    "loss_semantic_mask",
    "loss_attention",
    "loss_existence",
}
# Every option as required by the published weights, and its alternative for training from scratch.
OPTIONS = {
    "published": {
        "query_selector": {"token_score": "mean"},
        "decoder": {"reference": "sum"},
        "box_head": {"aux_weights": (1.0, 1.0, 1.0)},
        "existence_head": {"activation": "sigmoid"},
        "attention_loss": {"form": "logits"},
    },
    "clean": {
        "query_selector": {"token_score": "l2"},
        "decoder": {"reference": "residual"},
        "box_head": {"aux_weights": None},
        "existence_head": {"activation": "softmax"},
        "attention_loss": {"form": "mass"},
    },
}
# The query contents of the text-to-image layer start at zero, so that all values of its
# self-attention are equal, and neither their projection nor the attention weights have an effect.
NEVER_TRAINED = {"query_selector.text_to_image.self_attention.attention.in_proj_weight"}


def _randomize(model):
    """Replace the initial zeros, which block gradients in the first step."""
    torch.manual_seed(1)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2)
    return model


def _freeze_batch_norm(model):
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    return model


@pytest.fixture(params=sorted(OPTIONS))
def options(request):
    return OPTIONS[request.param]


class TestTensor:
    def test_output_shapes(self, build_tiny, make_batch):
        inputs, _ = make_batch((1, 0))
        output = build_tiny().tensor(inputs)
        shapes = {name: tuple(tensor.shape) for name, tensor in vars(output).items()}
        assert shapes == {
            "encoder_image": (2, 16, 32),
            "encoder_text": (2, 8, 32),
            "encoder_cls": (2, 32),
            "attention": (2, 4, 4, 4),
            "attention_pooled": (2, 4, 4),
            "is_valid_query": (2, 4),
            "points": (2, 4, 2),
            "query_content": (2, 4, 16),
            "initial_reference": (2, 4, 2),
            "pixel_map": (2, 16, 16, 16),
            "class_logits": (3, 2, 4, 2),
            "boxes_cxcywh": (3, 2, 4, 4),
            "instance_mask_logits": (2, 4, 32, 32),
            "semantic_mask_logits": (2, 1, 32, 32),
            "no_target_logits": (2, 2),
        }

    def test_training_differs_from_evaluation_only_by_dropout_and_batch_norm(
        self, build_tiny, make_batch
    ):
        inputs, _ = make_batch((1, 0))
        model = build_tiny()
        expected = model.eval().tensor(inputs)
        ours = _freeze_batch_norm(model.train()).tensor(inputs)
        for name, tensor in vars(ours).items():
            torch.testing.assert_close(tensor, getattr(expected, name), msg=name)

    @pytest.mark.parametrize("part", ["query_selector", "decoder"])
    def test_dropout_acts_only_in_training(self, build_tiny, make_batch, part):
        inputs, _ = make_batch((1, 0))
        model = build_tiny(**{part: {"dropout": 0.5}}).eval()
        assert torch.equal(model.tensor(inputs).class_logits, model.tensor(inputs).class_logits)
        _freeze_batch_norm(model.train())
        assert not torch.equal(model.tensor(inputs).class_logits, model.tensor(inputs).class_logits)

    def test_outputs_depend_on_the_expression(self, build_tiny, make_batch):
        inputs, _ = make_batch((1, 0))
        model = _randomize(build_tiny()).eval()
        other = inputs | {"token_ids": inputs["token_ids"].roll(1, 1)}
        before, after = model.tensor(inputs), model.tensor(other)
        assert not torch.allclose(after.semantic_mask_logits, before.semantic_mask_logits)
        assert not torch.allclose(after.query_content, before.query_content)


class TestLoss:
    def test_names_of_the_losses(self, build_tiny, make_batch):
        losses = build_tiny().loss(*make_batch((1, 0, 3)))
        assert set(losses) == LOSSES

    @pytest.mark.parametrize("counts", [(1, 0, 3), (0, 0), (9, 1), (1,)])
    def test_losses_and_gradients_are_finite(self, build_tiny, make_batch, options, counts):
        """The cases include batches without targets and more targets than queries."""
        model = build_tiny(**options)
        losses = model.loss(*make_batch(counts))
        assert all(loss.isfinite() and loss >= 0 for loss in losses.values()), losses
        sum(losses.values()).backward()
        assert all(parameter.grad.isfinite().all() for parameter in model.parameters())

    def test_every_parameter_receives_gradients(self, build_tiny, make_batch, options):
        model = _randomize(build_tiny(**options))
        sum(model.loss(*make_batch((2, 0, 3))).values()).backward()
        gradients = {name: p.grad for name, p in model.named_parameters() if p.requires_grad}
        assert [name for name, gradient in gradients.items() if gradient is None] == []
        # An exact zero appears as a rounding error, many orders of magnitude below the others.
        untrained = {name for name, g in gradients.items() if g.abs().max() < 1e-7}
        assert untrained == NEVER_TRAINED

    def test_without_background_weight_there_is_no_background_loss(self, build_tiny, make_batch):
        model = build_tiny(query_mask_head={"background_weight": 0.0})
        assert set(model.loss(*make_batch((1, 0)))) == LOSSES - {"loss_background_mask"}

    def test_three_steps_reduce_the_loss(self, build_tiny, make_batch, options):
        model, batch = build_tiny(**options), make_batch((1, 0, 3))
        optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
        totals = []
        for _ in range(4):
            total = sum(model.loss(*batch).values())
            totals.append(total.item())
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
        # Single steps may increase the loss, because the prior points change discontinuously.
        assert totals[3] < 0.98 * totals[0]

    def test_bfloat16_autocast(self, build_tiny, make_batch, options):
        model, batch = build_tiny(**options), make_batch((1, 0, 3))
        exact = model.loss(*batch)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            losses = model.loss(*batch)
        sum(losses.values()).backward()
        assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
        for name in ("loss_semantic_mask", "loss_existence", "loss_class"):
            assert losses[name].item() == pytest.approx(exact[name].item(), rel=0.05), name


class TestPredict:
    def test_predictions_without_ground_truth_are_in_the_original_image(
        self, build_tiny, make_batch
    ):
        inputs, annotated = make_batch((1, 0, 3))
        samples = [GroundingDataSample(metainfo=sample.metainfo) for sample in annotated]
        with torch.no_grad():
            build_tiny().eval().predict(inputs, samples)
        for sample in samples:
            height, width = sample.ori_shape
            predicted = sample.pred_instances
            assert len(predicted.scores) == len(predicted.masks) == len(predicted.points_xy) == 4
            limits = torch.tensor([width, height, width, height])
            assert ((predicted.boxes_xyxy >= 0) & (predicted.boxes_xyxy <= limits)).all()
            assert sample.pred_merged_mask["size"] == [height, width]
            assert sample.pred_frame == "original"
            assert 0 <= sample.pred_existence <= 1
            assert sample.pred_no_target == bool((predicted.scores <= 0.7).all())

    def test_points_are_the_prior_points_in_pixels(self, build_tiny, make_batch):
        inputs, samples = make_batch((1, 1))
        model = build_tiny().eval()
        with torch.no_grad():
            points = model.tensor(inputs).points
            model.predict(inputs, samples)
        for expected, sample in zip(points, samples, strict=True):
            height, width = sample.ori_shape
            pixels = expected * torch.tensor([width, height])
            torch.testing.assert_close(sample.pred_instances.points_xy, pixels)

    def test_predictions_do_not_depend_on_the_batch(self, build_tiny, make_batch, options):
        inputs, together = make_batch((1, 0, 3))
        _, alone = make_batch((1, 0, 3))
        model = build_tiny(**options).eval()
        with torch.no_grad():
            model.predict(inputs, together)
            for index, sample in enumerate(alone):
                model.predict({k: v[index : index + 1] for k, v in inputs.items()}, [sample])
        for ours, expected in zip(alone, together, strict=True):
            for field in ("boxes_xyxy", "scores", "points_xy"):
                torch.testing.assert_close(
                    ours.pred_instances[field], expected.pred_instances[field], atol=1e-4, rtol=1e-4
                )
            assert ours.pred_existence == pytest.approx(expected.pred_existence, abs=1e-4)
            assert ours.pred_no_target == expected.pred_no_target
            areas = rle_areas([ours.pred_merged_mask, expected.pred_merged_mask])
            assert abs(int(areas[0]) - int(areas[1])) <= 2  # pixels on the threshold

    def test_bfloat16_autocast(self, build_tiny, make_batch):
        inputs, samples = make_batch((1, 0))
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            build_tiny().eval().predict(inputs, samples)
        for sample in samples:
            assert sample.pred_instances.boxes_xyxy.isfinite().all()
            assert ((sample.pred_instances.scores >= 0) & (sample.pred_instances.scores <= 1)).all()


class TestPublishedSizes:
    @staticmethod
    def _count(**changes):
        config = Config.fromfile(PUBLISHED)
        config.merge_from_dict({"model": changes})
        with torch.device("meta"):
            model = MODELS.build(config.model)
        assert {parameter.device.type for parameter in model.parameters()} == {"meta"}
        return sum(parameter.numel() for parameter in model.parameters())

    def test_base(self):
        unused = {
            "vis_enc.beit3.vision_embed.mask_token": 768,
            "head.query_embedding": 256 * 768,
            "head.proj_pixel_level_cons": 128 * (256 + 1) + 129 * (256 + 1),
            "head.query_generation.query_embed": 10 * 256,
            "head.decoder_transformer.level_embeds": 4 * 256,
        }
        assert list(unused.values()) == [768, 196_608, 66_049, 2_560, 1_024]
        assert self._count() == 234_336_716 - sum(unused.values()) == 234_069_707

    def test_large(self):
        large = {"embed_dim": 1024, "depth": 24, "num_heads": 16, "ffn_dim": 4096}
        # With one query, the unused table of queries has one row; two tensors grow with the width.
        unused = 1024 + 256 * 1024 + 66_049 + 256 + 1_024
        count = self._count(backbone=large, query_selector={"num_queries": 1})
        assert count == 686_298_316 - unused
