"""Toy grounder and dataset: find the bright rectangle in a 16 x 16 image."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.structures import InstanceData
from torch import nn
from torch.nn import functional as F
from torch.utils.data import Dataset

from vgtoolbox.registry import DATASETS, FUNCTIONS, HOOKS, MODELS
from vgtoolbox.structures import GroundingDataSample, encode_masks

SIZE = 16


@DATASETS.register_module()
class ToyRectangles(Dataset):
    """Noisy images with one bright rectangle, or none in every fourth; noise differs by epoch."""

    def __init__(self, length=21, seed=0):
        self.length = length
        self.seed = seed
        self.metainfo = {"split": "toy"}
        self.epoch = torch.tensor(0).share_memory_()

    def set_epoch(self, epoch):
        self.epoch.fill_(epoch)

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        layout = np.random.default_rng((7, index))
        noise = np.random.default_rng((self.seed, int(self.epoch), index))
        left, top = layout.integers(0, 8, 2)
        width, height = layout.integers(3, 8, 2)
        image = noise.normal(0.0, 0.1, (1, SIZE, SIZE)).astype(np.float32)
        boxes = torch.zeros(0, 4)
        masks = torch.zeros(0, SIZE, SIZE, dtype=torch.bool)
        if index % 4:
            image[:, top : top + height, left : left + width] += 1.0
            boxes = torch.tensor([[left, top, left + width, top + height]], dtype=torch.float32)
            masks = torch.zeros(1, SIZE, SIZE, dtype=torch.bool)
            masks[:, top : top + height, left : left + width] = True
        sample = GroundingDataSample(
            metainfo={
                "sample_idx": index,
                "sample_id": f"toy_{index}",
                "img_path": f"toy_{index}.jpg",
                "image_id": index,
                "ori_shape": (SIZE, SIZE),
                "img_shape": (SIZE, SIZE),
                "scale_factor": (1.0, 1.0),
                "expression": "the bright rectangle",
            }
        )
        sample.gt_instances_ori = InstanceData(boxes_xyxy=boxes, masks=encode_masks(masks))
        return {"inputs": torch.from_numpy(image), "data_samples": sample}


@FUNCTIONS.register_module()
def toy_collate(samples):
    return {
        "inputs": torch.stack([sample["inputs"] for sample in samples]),
        "data_samples": [sample["data_samples"] for sample in samples],
    }


@MODELS.register_module()
class ToyGrounder(BaseModel):
    """Two layers and dropout that predict a box in [0, 1] and whether a target exists."""

    def __init__(self, width=16, dropout=0.2):
        super().__init__()
        self.backbone = nn.Linear(SIZE * SIZE, width)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, 5)

    def forward(self, inputs, data_samples=None, mode="tensor"):
        raw = self.head(self.dropout(F.relu(self.backbone(inputs.flatten(1)))))
        boxes = raw[:, :4].float().sigmoid()
        existence_logits = raw[:, 4].float()
        if mode == "tensor":
            return raw
        if mode == "loss":
            return self.loss(boxes, existence_logits, data_samples)
        return self.predict(boxes, existence_logits, data_samples)

    def loss(self, boxes, existence_logits, data_samples):
        exists = torch.tensor([float(not s.no_target) for s in data_samples]).to(boxes)
        targets = torch.stack(
            [
                s.gt_instances_ori.boxes_xyxy[0] / SIZE if not s.no_target else torch.zeros(4)
                for s in data_samples
            ]
        ).to(boxes)
        distance = (boxes - targets).abs().mean(dim=1)
        return {
            "loss_box": (distance * exists).mean(),
            "loss_existence": F.binary_cross_entropy_with_logits(existence_logits, exists),
        }

    def predict(self, boxes, existence_logits, data_samples):
        for sample, box, logit in zip(data_samples, boxes, existence_logits, strict=True):
            corners = box.reshape(2, 2).sort(dim=0).values.reshape(1, 4) * SIZE
            left, top, right, bottom = corners[0].round().int().tolist()
            mask = torch.zeros(1, SIZE, SIZE, dtype=torch.bool)
            mask[:, top:bottom, left:right] = bool(logit > 0)
            sample.pred_instances = InstanceData(
                boxes_xyxy=corners.cpu(), scores=logit.sigmoid().reshape(1).cpu()
            )
            sample.pred_merged_mask = encode_masks(mask)[0]
            sample.pred_existence = float(logit.sigmoid())
            sample.pred_no_target = bool(logit <= 0)
        return data_samples


@HOOKS.register_module()
class KillHook(Hook):
    """Send SIGKILL to this process at a given moment of a run."""

    priority = "LOWEST"

    def __init__(self, moment, at):
        self.moment, self.at = moment, at

    def _maybe_kill(self, moment, position):
        if (moment, position) == (self.moment, self.at):
            os.kill(os.getpid(), signal.SIGKILL)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self._maybe_kill("train", runner.iter + 1)

    def before_val_iter(self, runner, batch_idx, data_batch=None):
        self._maybe_kill("val", runner.epoch)

    def before_save_checkpoint(self, runner, checkpoint):
        self._maybe_kill("save", runner.epoch + 1)


@HOOKS.register_module()
class HangHook(Hook):
    """Wait for ever in one process, before a given iteration."""

    priority = "VERY_HIGH"

    def __init__(self, rank, at):
        self.rank, self.at = rank, at

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if (runner.rank, runner.iter) == (self.rank, self.at):
            time.sleep(10_000)
