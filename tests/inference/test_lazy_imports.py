"""The package imports its names, and the libraries that they need, on first use."""

import subprocess
import sys

import pytest

from vgtoolbox import inference

HEAVY = {"gradio", "matplotlib", "pandas", "peft", "supervision", "tensorboard", "transformers"}


def test_importing_the_package_loads_no_heavy_library():
    code = f"import sys, vgtoolbox.inference; sys.exit(str({HEAVY} & set(sys.modules) or ''))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() == ""


@pytest.mark.parametrize("name", inference.__all__)
def test_every_public_name_is_found_and_listed(name):
    assert getattr(inference, name).__name__ == name
    assert name in dir(inference)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(
        AttributeError, match=r"'vgtoolbox\.inference' has no attribute 'Inferencer'"
    ):
        _ = inference.Inferencer
    with pytest.raises(ImportError, match="Inferencer"):
        from vgtoolbox.inference import Inferencer  # noqa: F401
