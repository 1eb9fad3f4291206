"""PLVL: language injected into the visual backbone, one box and one mask (arXiv 2504.16145)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from vgtoolbox.models.grounders.base import BaseGrounder
from vgtoolbox.models.heads import CenterMaps
from vgtoolbox.models.layers.text_injector import recorded_attention
from vgtoolbox.registry import MODELS, TASK_UTILS
from vgtoolbox.structures import BatchTargets, GroundingDataSample, rle_boxes_xyxy

PLVLTask = Literal["boxes", "masks"]
PartConfig = Mapping[str, Any]


@dataclass(frozen=True)
class PLVLOutput:
    """Raw outputs for B samples; images have H x W pixels and h x w patches.

    Attributes:
        text_features: Features of the text encoder, (B, T, C').
        image_features: Features of the backbone, which has read the text, (B, h, w, C').
        maps: Dense maps of the box head: `score_map`, `size_map`, `offset_map`.
        scores: Scores of the best cell, (B, 1).
        boxes_cxcywh: Normalized boxes of the best cell, (B, 1, 4).
        mask_logits: Mask logits (B, 1, H, W).
    """

    text_features: Tensor
    image_features: Tensor
    maps: CenterMaps
    scores: Tensor
    boxes_cxcywh: Tensor
    mask_logits: Tensor


@MODELS.register_module()
class PLVL(BaseGrounder):
    """Text encoder, backbone that reads its words, decoder, and heads for one box and one mask.

    All arguments but `channels` and `tasks` are configs of parts.

    Args:
        text_encoder: Encoder of token ids into words.
        backbone: Backbone of the image, which may read the words.
        decoder: Decoder in which patches attend to words.
        box_head: Head for score, size and offset of every patch.
        mask_head: Head for the mask, from the features with which the box head predicts scores.
        postprocessor: Converter of raw outputs to predictions.
        channels: Channels C of decoder and heads.
        tasks: Tasks that are trained: "boxes" (REC), "masks" (RES) or both. Without "masks" no
            masks are predicted; without "boxes" the boxes are those of the masks.
        data_preprocessor: Module that moves and normalizes a collated batch. If `None`, mmengine's
            default, which only moves it.

    Raises:
        ValueError: `tasks` is empty or contains another task.
    """

    def __init__(
        self,
        *,
        channels: int = 512,
        tasks: Collection[PLVLTask] = ("boxes", "masks"),
        text_encoder: PartConfig,
        backbone: PartConfig,
        decoder: PartConfig,
        box_head: PartConfig,
        mask_head: PartConfig,
        postprocessor: PartConfig,
        data_preprocessor: PartConfig | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        if not tasks or not set(tasks) <= set(get_args(PLVLTask)):
            raise ValueError(f"tasks must be 'boxes', 'masks' or both, got {tuple(tasks)}")
        self.tasks = frozenset(tasks)
        self.text_encoder = MODELS.build(text_encoder)
        self.backbone = MODELS.build(backbone)
        self.text_proj = nn.Linear(self.text_encoder.embed_dim, channels)
        self.image_proj = nn.Linear(self.backbone.embed_dim, channels)
        self.decoder = MODELS.build(decoder)
        self.box_head = MODELS.build(box_head)
        self.mask_head = MODELS.build(mask_head)
        self.postprocessor = TASK_UTILS.build(postprocessor)

    def tensor(self, inputs: Mapping[str, Tensor]) -> PLVLOutput:
        """Return the raw outputs; `inputs` as in `BaseGrounder.forward`."""
        padding = inputs["text_padding_mask"]
        words = self.text_encoder(inputs["token_ids"], padding)  # (B, T, C')
        patches = self.backbone(inputs["images"], words, padding)  # (B, h, w, C')
        decoded = self.decoder(  # (B, h * w, C)
            self.image_proj(patches).flatten(1, 2), self.text_proj(words), padding
        )
        grid = (patches.shape[1], patches.shape[2])
        maps = self.box_head(decoded.transpose(1, 2).unflatten(2, grid))
        scores, boxes_cxcywh = self.box_head.predict(maps)
        mask_logits = self.mask_head(maps.target_features)
        return PLVLOutput(words, patches, maps, scores, boxes_cxcywh, mask_logits)

    def loss(
        self, inputs: Mapping[str, Tensor], data_samples: Sequence[GroundingDataSample]
    ) -> dict[str, Tensor]:
        """Return the weighted losses of the tasks that are trained, scalars.

        Args:
            inputs: Batched inputs, as in `BaseGrounder.forward`.
            data_samples: B samples with `gt_instances`.
        """
        output = self.tensor(inputs)
        size, device = output.mask_logits.shape[-2:], output.mask_logits.device
        targets = BatchTargets.from_samples(data_samples, (size[0], size[1]), device)
        losses = self.box_head.loss(output.maps, targets) if "boxes" in self.tasks else {}
        if "masks" in self.tasks:
            losses |= self.mask_head.loss(output.mask_logits, targets)
        return losses

    def predict(
        self,
        inputs: Mapping[str, Tensor],
        data_samples: Sequence[GroundingDataSample],
        *,
        score_thr: float | None = None,
    ) -> list[GroundingDataSample]:
        """Add one predicted instance to each sample and return the samples.

        The score is that of the best cell, or without "boxes" the highest pixel probability.

        Args:
            inputs: Batched inputs, as in `BaseGrounder.forward`.
            data_samples: B samples with the sizes of image and input.
            score_thr: Score threshold in [0, 1]. If `None`, that of the postprocessor.
        """
        output = self.tensor(inputs)
        scores = output.scores  # (B, 1)
        if "boxes" not in self.tasks:
            scores = output.mask_logits.flatten(2).amax(2).sigmoid()
        center, extent = output.boxes_cxcywh.split(2, 2)  # (B, 1, 2) each
        samples = self.postprocessor(
            scores=scores,
            boxes_xyxy=torch.cat([center - extent / 2, center + extent / 2], 2),
            points=center,
            existence=scores[:, 0],
            instance_mask_logits=output.mask_logits,
            data_samples=data_samples,
            score_thr=score_thr,
        )
        for sample in samples:
            self._drop_untrained(sample)
        return samples

    @property
    def score_thr(self) -> float:
        """Score threshold of the postprocessor."""
        return self.postprocessor.score_thr

    def attention_maps(self, inputs: Mapping[str, Tensor]) -> Tensor | None:
        """Return how much the attention of each patch to the words differs from its mean.

        For each block that reads the words, this is the sum over the words of the absolute
        difference between the patch's attention and its mean over the image; the result is the mean
        over these blocks. Attention to a single word is not informative, because a head may attend
        to any word by default; the attention of targets differs from that of the rest of the image.

        Args:
            inputs: Batched inputs, as in `BaseGrounder.forward`.

        Returns:
            Map (B, h, w), or `None` if no block of the backbone reads the words.
        """
        with recorded_attention(self.backbone) as recorded:
            self.tensor(inputs)
        if not recorded:
            return None
        differences = [
            (weights - weights.mean((2, 3), keepdim=True)).abs().sum(1)
            for weights in (each.float() for each in recorded)
        ]
        return torch.stack(differences).mean(0)

    def _drop_untrained(self, sample: GroundingDataSample) -> None:
        """Remove predictions of heads that were not trained from a sample."""
        instances = sample.pred_instances
        if "masks" not in self.tasks:
            del instances.masks, sample.pred_merged_mask
        if "boxes" not in self.tasks:
            instances.boxes_xyxy = rle_boxes_xyxy(instances.masks)
