"""InstanceVG: joint GREC and GRES with instance queries and prior points (TPAMI 2025)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from vgtoolbox.models.grounders.base import BaseGrounder
from vgtoolbox.registry import MODELS, TASK_UTILS
from vgtoolbox.structures import BatchTargets, GroundingDataSample


@dataclass(frozen=True)
class InstanceVGOutput:
    """Raw outputs for B samples, Q queries and L decoder layers.

    Images have H x W pixels and h x w patches.

    Attributes:
        encoder_image: Backbone features of the patches, (B, h * w, C').
        encoder_text: Backbone features of the tokens, (B, T, C').
        encoder_cls: Backbone features of the CLS token, (B, C').
        attention: Attention of each query over the image, (B, Q, h, w).
        attention_pooled: Maximum of `attention` over the valid queries, (B, h, w).
        is_valid_query: Whether a query has a token, (B, Q) bool; False for the surplus queries of
            an expression with fewer tokens than queries.
        points: Prior points (B, Q, 2), x and y in [0, 1].
        query_content: Contents of the selected queries, (B, Q, C).
        initial_reference: Reference points of the decoder, (B, Q, 2), x and y.
        pixel_map: Features of the pixel decoder, (B, C, 4 * h, 4 * w).
        class_logits: Class logits (L, B, Q, 2), class 0 = target; the last layer is the prediction.
        boxes_cxcywh: Normalized boxes (L, B, Q, 4).
        instance_mask_logits: Mask logits of each query, (B, Q, H, W).
        semantic_mask_logits: Mask logits of all targets together, (B, 1, H, W).
        no_target_logits: Existence logits (B, 2), class 0 = a target exists.
    """

    encoder_image: Tensor
    encoder_text: Tensor
    encoder_cls: Tensor
    attention: Tensor
    attention_pooled: Tensor
    is_valid_query: Tensor
    points: Tensor
    query_content: Tensor
    initial_reference: Tensor
    pixel_map: Tensor
    class_logits: Tensor
    boxes_cxcywh: Tensor
    instance_mask_logits: Tensor
    semantic_mask_logits: Tensor
    no_target_logits: Tensor


@MODELS.register_module()
class InstanceVG(BaseGrounder):
    """Joint encoder of image and text, a pixel map, and text queries decoded into instances.

    All arguments but `channels` are configs of parts.

    Args:
        backbone: Backbone that reads image and text together.
        neck: Neck that turns the projected patches into a pyramid.
        pixel_decoder: Decoder of the pyramid into a pixel map.
        query_selector: Selector of queries and their prior points.
        decoder: Decoder of the queries.
        box_head: Head for class and box of each query.
        query_mask_head: Head for the mask of each query.
        semantic_mask_head: Head for the mask of all targets.
        existence_head: Head that predicts whether there is a target.
        attention_loss: Loss of the query selector's attention.
        postprocessor: Converter of raw outputs to predictions.
        channels: Channels C of all parts after the backbone.
        data_preprocessor: Module that moves and normalizes a collated batch. If `None`, mmengine's
            default, which only moves it.
    """

    def __init__(
        self,
        *,
        backbone: Mapping[str, Any],
        neck: Mapping[str, Any],
        pixel_decoder: Mapping[str, Any],
        query_selector: Mapping[str, Any],
        decoder: Mapping[str, Any],
        box_head: Mapping[str, Any],
        query_mask_head: Mapping[str, Any],
        semantic_mask_head: Mapping[str, Any],
        existence_head: Mapping[str, Any],
        attention_loss: Mapping[str, Any],
        postprocessor: Mapping[str, Any],
        channels: int = 256,
        data_preprocessor: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        self.backbone = MODELS.build(backbone)
        self.image_proj = nn.Conv2d(self.backbone.embed_dim, channels, 1, bias=False)
        self.text_proj = nn.Linear(self.backbone.embed_dim, channels, bias=False)
        self.neck = MODELS.build(neck)
        self.pixel_decoder = MODELS.build(pixel_decoder)
        self.query_selector = MODELS.build(query_selector)
        self.decoder = MODELS.build(decoder)
        self.box_head = MODELS.build(box_head)
        self.query_mask_head = MODELS.build(query_mask_head)
        self.semantic_mask_head = MODELS.build(semantic_mask_head)
        self.existence_head = MODELS.build(existence_head)
        self.attention_loss = MODELS.build(attention_loss)
        self.postprocessor = TASK_UTILS.build(postprocessor)

    def tensor(self, inputs: Mapping[str, Tensor]) -> InstanceVGOutput:
        """Return the raw outputs; `inputs` as in `BaseGrounder.forward`."""
        images, padding = inputs["images"], inputs["text_padding_mask"]
        size = (images.shape[2], images.shape[3])
        features = self.backbone(images, inputs["token_ids"], padding)
        patches = features.image.transpose(1, 2).unflatten(2, features.grid)  # (B, C', h, w)
        image, text = self.image_proj(patches), self.text_proj(features.text)
        levels = self.neck(image)  # each (B, C, h_i, w_i), finest first
        pixels = self.pixel_decoder(levels)  # (B, C, 4 * h, 4 * w)
        queries = self.query_selector(image, text, padding)
        decoded = self.decoder(queries.content, queries.points, levels)
        class_logits, boxes_cxcywh = self.box_head(decoded.states, decoded.references)
        return InstanceVGOutput(
            encoder_image=features.image,
            encoder_text=features.text,
            encoder_cls=features.cls,
            attention=queries.attention,
            attention_pooled=queries.attention_pooled,
            is_valid_query=queries.is_valid,
            points=queries.points,
            query_content=queries.content,
            initial_reference=decoded.references,
            pixel_map=pixels,
            class_logits=class_logits,
            boxes_cxcywh=boxes_cxcywh,
            instance_mask_logits=self.query_mask_head(decoded.states[-1], pixels, size),
            semantic_mask_logits=self.semantic_mask_head(pixels, size),
            no_target_logits=self.existence_head(pixels),
        )

    def loss(
        self, inputs: Mapping[str, Tensor], data_samples: Sequence[GroundingDataSample]
    ) -> dict[str, Tensor]:
        """Return the weighted losses of detection, masks, attention and existence, scalars.

        Args:
            inputs: Batched inputs, as in `BaseGrounder.forward`.
            data_samples: B samples with `gt_instances`.
        """
        images = inputs["images"]
        targets = BatchTargets.from_samples(
            data_samples, (images.shape[2], images.shape[3]), images.device
        )
        output = self.tensor(inputs)
        losses, matches = self.box_head.loss(
            output.class_logits, output.boxes_cxcywh, output.points, targets
        )
        losses |= self.query_mask_head.loss(output.instance_mask_logits, matches, targets)
        losses |= self.semantic_mask_head.loss(output.semantic_mask_logits, targets)
        losses |= self.attention_loss(
            output.attention,
            output.attention_pooled,
            output.is_valid_query,
            targets.merged_masks,
        )
        return losses | self.existence_head.loss(output.no_target_logits, targets)

    def predict(
        self,
        inputs: Mapping[str, Tensor],
        data_samples: Sequence[GroundingDataSample],
        *,
        score_thr: float | None = None,
    ) -> list[GroundingDataSample]:
        """Add predictions to the samples, in the frame of the postprocessor, and return them.

        Args:
            inputs: Batched inputs, as in `BaseGrounder.forward`.
            data_samples: B samples with the sizes of image and input.
            score_thr: Score threshold in [0, 1]. If `None`, that of the postprocessor.
        """
        output = self.tensor(inputs)
        scores, boxes_xyxy = self.box_head.predict(output.class_logits, output.boxes_cxcywh)
        return self.postprocessor(
            scores=scores,
            boxes_xyxy=boxes_xyxy,
            points=output.points,
            existence=self.existence_head.predict(output.no_target_logits),
            instance_mask_logits=output.instance_mask_logits,
            semantic_mask_logits=output.semantic_mask_logits,
            data_samples=data_samples,
            score_thr=score_thr,
        )

    @property
    def score_thr(self) -> float:
        """Score threshold of the postprocessor."""
        return self.postprocessor.score_thr

    def attention_maps(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the attention with which the prior points are selected, (B, h, w)."""
        return self.tensor(inputs).attention_pooled
