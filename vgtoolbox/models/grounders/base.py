"""What every grounder is: three ways to call one model."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from mmengine.model import BaseModel
from torch import Tensor

from vgtoolbox.registry import MODELS
from vgtoolbox.structures import GroundingDataSample

Mode = Literal["loss", "predict", "tensor"]


class BaseGrounder(BaseModel):
    """An image and an expression in; losses, predictions or raw outputs out.

    Args:
        data_preprocessor: Config of the module that moves and normalises a collated batch.
    """

    def __init__(self, *, data_preprocessor: Mapping[str, Any] | None = None) -> None:
        # Built here, since mmengine would look for it in its own registry.
        built = None if data_preprocessor is None else MODELS.build(data_preprocessor)
        super().__init__(data_preprocessor=built)

    def forward(
        self,
        inputs: Mapping[str, Tensor],
        data_samples: Sequence[GroundingDataSample] | None = None,
        mode: Mode = "tensor",
    ) -> Any:
        """Call `loss`, `predict` or `tensor`, by name.

        Args:
            inputs: `images` (B, 3, H, W), `token_ids` (B, T), `text_padding_mask` (B, T).
            data_samples: Of the batch; not needed for "tensor".
            mode: Which.
        """
        if mode == "tensor":
            return self.tensor(inputs)
        if data_samples is None:
            raise ValueError(f"mode {mode!r} needs data_samples")
        if mode == "loss":
            return self.loss(inputs, data_samples)
        if mode == "predict":
            return self.predict(inputs, data_samples)
        raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}")

    @abstractmethod
    def loss(
        self, inputs: Mapping[str, Tensor], data_samples: Sequence[GroundingDataSample]
    ) -> dict[str, Tensor]:
        """Return weighted losses, keys `loss_*`; those of deep supervision `d{i}.loss_*`."""

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
        """Return a dataclass of the raw outputs, before any threshold."""

    @property
    def score_thr(self) -> float | None:
        """Score above which a candidate is a target; `None` if the model does not use scores."""
        return None

    @property
    def protocol_settings(self) -> dict[str, Any]:
        """Options of prediction that belong in the report of a test; empty by default."""
        return {}

    def attention_maps(self, inputs: Mapping[str, Tensor]) -> Tensor | None:
        """Return a map over the padded input of where the model looked.

        Args:
            inputs: Batched inputs, as in `forward`.

        Returns:
            (B, h, w), or `None` if the system has no such map.
        """
        return None
