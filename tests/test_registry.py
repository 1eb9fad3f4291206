import subprocess
import sys

import pytest
from mmengine.dataset import ConcatDataset
from torch import nn

from vgtoolbox.registry import DATASETS, METRICS, MODELS, TRANSFORMS, UnknownTypeError


def _run(code):
    """Run `code` in a new interpreter in which warnings are errors."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("registry", "name", "nearest"),
    [
        (TRANSFORMS, "RandomHorisontalFlip", "'RandomHorizontalFlip'"),
        (DATASETS, "GRefCocoDataset", "'GRefCOCODataset'"),
        (MODELS, "vgtoolbox.GroundingDataPreproccessor", "'GroundingDataPreprocessor'"),
    ],
)
def test_the_error_for_an_unknown_type_suggests_the_nearest_name(registry, name, nearest):
    with pytest.raises(UnknownTypeError, match=rf"{name}' is not a .*did you mean .*{nearest}"):
        registry.build({"type": name})


def test_the_error_for_a_type_without_a_similar_name_lists_all_types():
    with pytest.raises(UnknownTypeError, match=r"registered types: .*'RefCOCODataset'"):
        DATASETS.get("Zzzzzzzz")


def test_the_error_message_is_not_quoted():
    with pytest.raises(UnknownTypeError) as raised:
        METRICS.get("Zzzz")
    assert not str(raised.value).startswith('"')


def test_types_are_found_with_and_without_our_scope():
    assert TRANSFORMS.get("Resize") is TRANSFORMS.get("vgtoolbox.Resize")


def test_types_of_mmengine_are_found_without_a_scope():
    assert DATASETS.get("ConcatDataset") is ConcatDataset


def test_types_of_mmdet_and_mmcv_are_found_by_their_scope():
    pytest.importorskip("mmdet")
    backbone = MODELS.build({"type": "mmdet.ResNet", "depth": 18, "norm_eval": False})
    assert type(backbone).__module__.startswith("mmdet.models")
    assert MODELS.get("mmcv.FFN").__module__.startswith("mmcv.cnn")
    # Both have a transform of this name.
    assert TRANSFORMS.get("mmcv.Resize").__module__.startswith("mmcv.transforms")
    assert TRANSFORMS.get("Resize").__module__.startswith("vgtoolbox.")
    with pytest.raises(UnknownTypeError, match=r"mmdet\.ResNett"):
        MODELS.get("mmdet.ResNett")


def test_a_class_outside_the_package_is_found_by_its_path():
    assert MODELS.get("torch.nn.Linear") is nn.Linear


def test_importing_the_package_is_fast_and_silent():
    result = _run(
        "import time, torch, sys\n"
        "before = set(sys.modules); start = time.perf_counter()\n"
        "import vgtoolbox\n"
        "seconds = time.perf_counter() - start\n"
        "heavy = {'transformers', 'timm', 'mmdet', 'mmcv'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert seconds < 1.0, seconds\n"
        "assert vgtoolbox.__version__"
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout + result.stderr == ""


def test_importing_the_registries_imports_no_other_package():
    result = _run(
        "import sys, warnings\n"
        "warnings.simplefilter('ignore')  # mmengine's own\n"
        "import vgtoolbox.registry\n"
        "parts = {m for m in sys.modules if m.startswith('vgtoolbox.')}\n"
        "parts = {m for m in parts if not m.startswith('vgtoolbox.utils')}\n"
        "parts -= {'vgtoolbox.registry', 'vgtoolbox.version'}\n"
        "assert not parts, parts\n"
        "heavy = {'transformers', 'timm', 'mmdet', 'mmcv'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    assert result.returncode == 0, result.stderr
