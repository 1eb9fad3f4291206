"""Base class of grounders: one model with the modes loss, predict and tensor."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from mmengine.model import BaseModel
from torch import Tensor

from vgtoolbox.registry import MODELS
from vgtoolbox.structures import GroundingDataSample
from vgtoolbox.utils.choices import check_choice

ForwardMode = Literal["loss", "predict", "tensor"]


class BaseGrounder(BaseModel):
    """Base class of models that map images and expressions to losses, predictions or raw outputs.

    Args:
        data_preprocessor: Config of the module that moves and normalizes a collated batch. If
            `None`, mmengine's default is used, which only moves it.
    """

    def __init__(self, *, data_preprocessor: Mapping[str, Any] | None = None) -> None:
        # Built here, since mmengine would look it up in its own registry.
        built = None if data_preprocessor is None else MODELS.build(data_preprocessor)
        super().__init__(data_preprocessor=built)

    def forward(
        self,
        inputs: Mapping[str, Tensor],
        data_samples: Sequence[GroundingDataSample] | None = None,
        mode: ForwardMode = "tensor",
    ) -> Any:
        """Call the method named `mode`.

        Args:
            inputs: Batched inputs `images` (B, 3, H, W), `token_ids` (B, T) and
                `text_padding_mask` (B, T).
            data_samples: Samples of the batch. May be `None` in mode "tensor".
            mode: Method to call: "loss", "predict" or "tensor".

        Raises:
            ValueError: `mode` is unknown, or needs `data_samples` and got `None`.
        """
        if mode == "tensor":
            return self.tensor(inputs)
        check_choice("mode", mode, get_args(ForwardMode))
        if data_samples is None:
            raise ValueError(f"mode {mode!r} needs data_samples, got None")
        if mode == "loss":
            return self.loss(inputs, data_samples)
        return self.predict(inputs, data_samples)

    @abstractmethod
    def loss(
        self, inputs: Mapping[str, Tensor], data_samples: Sequence[GroundingDataSample]
    ) -> dict[str, Tensor]:
        """Return weighted losses with keys `loss_*`, and `d{i}.loss_*` for deep supervision.

        Args:
            inputs: Batched inputs, as in `forward`.
            data_samples: Samples of the batch, with ground truth.
        """

    @abstractmethod
    def predict(
        self,
        inputs: Mapping[str, Tensor],
        data_samples: Sequence[GroundingDataSample],
        *,
        score_thr: float | None = None,
    ) -> list[GroundingDataSample]:
        """Return the samples with their predictions filled in.

        Args:
            inputs: Batched inputs, as in `forward`.
            data_samples: Samples of the batch.
            score_thr: Score threshold of this call. If `None`, the postprocessor's threshold is
                used.

        Raises:
            ValueError: `score_thr` is given and the model decides without a score threshold.
        """

    @abstractmethod
    def tensor(self, inputs: Mapping[str, Tensor]) -> Any:
        """Return a dataclass of the raw outputs, before any threshold.

        Args:
            inputs: Batched inputs, as in `forward`.
        """

    @property
    def score_thr(self) -> float | None:
        """Score above which a candidate is a target; `None` if the model does not use scores."""
        return None

    @property
    def protocol_settings(self) -> dict[str, Any]:
        """Options of prediction that belong in the report of a test; empty by default."""
        return {}

    def attention_maps(self, inputs: Mapping[str, Tensor]) -> Tensor | None:
        """Return an attention map over the padded input.

        Args:
            inputs: Batched inputs, as in `forward`.

        Returns:
            (B, h, w), or `None` if the system has no such map.
        """
        return None
