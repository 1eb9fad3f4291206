"""Convert the state of mmengine's `MessageHub` to plain values for checkpoints, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

from vgtoolbox.checkpoint.io import check_plain

# Longest smoothing window of the log after a resume.
_KEPT_HISTORY = 1000
# Set by every run, or stored elsewhere in the checkpoint.
_RUN_SPECIFIC_KEYS = ("cfg", "experiment_name", "loop_stage", "dataset_meta", "mmengine_version")


def serialize_message_hub(state: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the state of a `MessageHub` to tensors and plain values.

    Upstream pickles its `HistoryBuffer` objects into every checkpoint, which torch >= 2.6 refuses
    to load.
    """
    scalars = {}
    for key, buffer in state["log_scalars"].items():
        values, counts = (history[-_KEPT_HISTORY:] for history in buffer.data)
        scalars[key] = {
            "values": torch.from_numpy(np.array(values, dtype=np.float64)),
            "counts": torch.from_numpy(np.array(counts, dtype=np.float64)),
        }
    info = {
        key: value.item() if isinstance(value, np.generic) else value
        for key, value in state["runtime_info"].items()
        if key not in _RUN_SPECIFIC_KEYS
    }
    check_plain(info, where="message_hub.runtime_info")
    return {"log_scalars": scalars, "runtime_info": info}


def deserialize_message_hub(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Restore the state of a `MessageHub` from the values of `serialize_message_hub`."""
    scalars = {
        key: HistoryBuffer(history["values"].tolist(), history["counts"].tolist())
        for key, history in plain["log_scalars"].items()
    }
    keys = [*scalars, *plain["runtime_info"]]
    return {
        "log_scalars": scalars,
        "runtime_info": dict(plain["runtime_info"]),
        "resumed_keys": dict.fromkeys(keys, True),
    }
