"""PLVL: language inside the visual backbone, one box and one mask of a dense head (2504.16145)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from vgtoolbox.models.grounders.base import BaseGrounder
from vgtoolbox.models.heads import CenterMaps
from vgtoolbox.models.layers.text_injector import recorded_attention
from vgtoolbox.registry import MODELS, TASK_UTILS
from vgtoolbox.structures import BatchTargets, GroundingDataSample, rle_boxes_xyxy

Task = Literal["boxes", "masks"]
Part = Mapping[str, Any]  # its config


@dataclass(frozen=True)
class PLVLOutput:
    """Raw outputs of B samples; images of H x W pixels are h x w patches.

    Attributes:
        text_features: (B, T, C'), of the text encoder.
        image_features: (B, h, w, C'), of the backbone, which has read the text.
        maps: What the boxes are read off: `score_map`, `size_map`, `offset_map`.
        scores: (B, 1), of the best cell.
        boxes_cxcywh: (B, 1, 4), normalised, of the best cell.
        mask_logits: (B, 1, H, W).
    """

    text_features: Tensor
    image_features: Tensor
    maps: CenterMaps
    scores: Tensor
    boxes_cxcywh: Tensor
    mask_logits: Tensor


@MODELS.register_module()
class PLVL(BaseGrounder):
    """Words, then patches that read them, then a decoder, then one box and one mask.

    Args:
        text_encoder: Token ids to words.
        backbone: Pixels to patches; may read the words on the way.
        decoder: Patches and words to patches.
        box_head: Score, size and offset of every patch.
        mask_head: Mask from the features that the scores are read off.
        postprocessor: Raw outputs to predictions.
        channels: Width of decoder and heads.
        tasks: What is trained: "boxes" (REC), "masks" (RES) or both. What is not trained is not
            predicted either: without masks there are none, without boxes they are the masks'.
        data_preprocessor: Moves and normalises a collated batch.
    """

    def __init__(
        self,
        *,
        channels: int = 512,
        tasks: Collection[Task] = ("boxes", "masks"),
        text_encoder: Part,
        backbone: Part,
        decoder: Part,
        box_head: Part,
        mask_head: Part,
        postprocessor: Part,
        data_preprocessor: Part | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        if not tasks or not set(tasks) <= {"boxes", "masks"}:
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
        """Run the model; `inputs` as in `BaseGrounder.forward`."""
        padding = inputs["text_padding_mask"]
        words = self.text_encoder(inputs["token_ids"], padding)
        patches = self.backbone(inputs["images"], words, padding)  # (B, h, w, C')
        decoded = self.decoder(
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
        """Return the losses of the tasks that are trained, all weighted."""
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
        """Fill the predictions of each sample: one instance, its score the best cell's."""
        output = self.tensor(inputs)
        scores = output.scores
        if "boxes" not in self.tasks:
            scores = output.mask_logits.flatten(2).amax(2).sigmoid()
        centre, extent = output.boxes_cxcywh.split(2, 2)
        samples = self.postprocessor(
            scores=scores,
            boxes_xyxy=torch.cat([centre - extent / 2, centre + extent / 2], 2),
            points=centre,
            existence=scores[:, 0],
            instance_mask_logits=output.mask_logits,
            data_samples=data_samples,
            score_thr=score_thr,
        )
        for sample in samples:
            self._keep_trained(sample)
        return samples

    @property
    def score_thr(self) -> float:
        """Score threshold of the postprocessor."""
        return self.postprocessor.score_thr

    def attention_maps(self, inputs: Mapping[str, Tensor]) -> Tensor | None:
        """Return how much the attention to the words differs between patches, (B, h, w).

        It is the mean over the blocks that read the words of the summed absolute difference between
        a patch's attention and the mean over the image. Attention to a single word says little,
        because any word may be where a head rests; targets differ from the rest of the image.
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

    def _keep_trained(self, sample: GroundingDataSample) -> None:
        """Drop from a prediction what comes from heads that were not trained."""
        instances = sample.pred_instances
        if "masks" not in self.tasks:
            del instances.masks, sample.pred_merged_mask
        if "boxes" not in self.tasks:
            instances.boxes_xyxy = rle_boxes_xyxy(instances.masks)
