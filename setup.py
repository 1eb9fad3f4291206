"""Build the package; all metadata are in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
RELEASED_WEIGHTS = ("InstanceVG-tiny-shapes.safetensors", "README.md")


class BuildWithConfigs(build_py):
    """Copy configs, metafiles and released weights into the package.

    They stay at the top level of the repository; utils/resources.py finds them in both places.
    """

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        packaged = Path(self.build_lib, "vgtoolbox", "_packaged")
        shutil.rmtree(packaged, ignore_errors=True)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "configs", packaged / "configs", ignore=ignored)
        (packaged / "pretrain_weights").mkdir()
        for name in RELEASED_WEIGHTS:
            shutil.copy2(ROOT / "pretrain_weights" / name, packaged / "pretrain_weights" / name)


setup(cmdclass={"build_py": BuildWithConfigs})
