import pytest
import torch

from vgtoolbox.engine import DeviceError, choose_device
from vgtoolbox.engine.device import process_group


def test_auto_takes_what_is_there():
    expected = "cuda" if torch.cuda.is_available() else "mps"
    if not (torch.cuda.is_available() or torch.backends.mps.is_available()):
        expected = "cpu"
    assert choose_device("auto").type == expected
    assert choose_device("cpu") == torch.device("cpu")


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(DeviceError, match="this process sees"):
        choose_device("cuda:99")
    with pytest.raises(DeviceError, match="no device 'gpu'; use auto, cpu"):
        choose_device("gpu")


def test_a_process_alone_starts_no_group():
    with process_group(torch.device("cpu")):
        assert not torch.distributed.is_initialized()
