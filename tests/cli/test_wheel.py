"""The wheel, installed next to nothing of the checkout, and used from an empty folder."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from zipfile import ZipFile

import pytest
from PIL import Image, ImageDraw

from vgtoolbox.version import __version__

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

REPOSITORY = Path(__file__).resolve().parents[2]
TINY_SHAPES = ["--scale", "tiny", "--num-train", "8", "--num-val", "4", "--num-test", "4"]
SMALL_RUN = ["train_dataloader.batch_size=8", "train_cfg.max_epochs=1"]


def execute(*command, cwd):
    """Run a command without the variables of this process that change imports; return stdout."""
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "SHAPES"))
    }
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def sources():
    """Return the paths of the files that belong to the repository, tracked or new."""
    listed = execute(
        "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=REPOSITORY
    )
    return [Path(name) for name in listed.split("\0") if name and (REPOSITORY / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy so that no build folders are left in the checkout."""
    folder = tmp_path_factory.mktemp("build")
    for path in sources():
        target = folder / "source" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / path, target)
    pip = [sys.executable, "-m", "pip"]
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder]
    execute(*pip, "wheel", ".", *options, cwd=folder / "source")
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The `bin` folder of a new environment with the wheel.

    It finds the dependencies in the present environment, after its own packages. Their folder comes
    from a path file, so that path files in it, such as that of an editable installation, are
    ignored.
    """
    folder = tmp_path_factory.mktemp("environment")
    execute(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    python = folder / "bin" / "python"
    options = ["--no-deps", "--no-index", "--no-compile"]
    execute(sys.executable, "-m", "pip", "--python", python, "install", *options, wheel, cwd=folder)
    here = {"base": folder, "platbase": folder}
    path_file = Path(sysconfig.get_path("purelib", vars=here), "dependencies.pth")
    present = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    path_file.write_text("\n".join(present) + "\n")
    location = execute(python, "-c", "import vgtoolbox; print(vgtoolbox.__file__)", cwd=folder)
    assert Path(location.strip()).is_relative_to(folder)
    return python.parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder in which the commands run, empty but for an image."""
    path = tmp_path_factory.mktemp("anywhere")
    image = Image.new("RGB", (160, 160), "white")
    ImageDraw.Draw(image).ellipse((20, 30, 60, 70), fill="red")
    ImageDraw.Draw(image).rectangle((90, 80, 140, 130), fill="blue")
    image.save(path / "photo.png")
    return path


@pytest.fixture(scope="module")
def vgtoolbox(installed, folder):
    """Return a function that runs the installed program and returns its output."""
    return lambda *words: execute(installed / "vgtoolbox", *words, cwd=folder)


def test_the_wheel_contains_package_configs_weights_and_license(wheel):
    names = set(ZipFile(wheel).namelist())
    for path in sources():
        shipped = path.as_posix()
        if path.parts[0] == "vgtoolbox":
            assert shipped in names
        elif path.parts[0] == "configs":
            assert f"vgtoolbox/_packaged/{shipped}" in names
    info = f"vgtoolbox-{__version__}.dist-info"
    assert names >= {
        "vgtoolbox/py.typed",
        "vgtoolbox/_packaged/configs/instancevg_metafile.yml",
        "vgtoolbox/_packaged/pretrain_weights/InstanceVG-tiny-shapes.safetensors",
        "vgtoolbox/_packaged/pretrain_weights/README.md",
        f"{info}/licenses/LICENSE",
        f"{info}/licenses/NOTICE",
    }
    assert {name.split("/")[0] for name in names} == {"vgtoolbox", info}


def test_version(vgtoolbox):
    assert vgtoolbox("--version") == f"vgtoolbox {__version__}\n"


def test_python_runs_the_package(installed, folder):
    printed = execute(installed / "python", "-m", "vgtoolbox", "--version", cwd=folder)
    assert printed == f"vgtoolbox {__version__}\n"


def test_zoo_and_doctor_find_the_packaged_models(vgtoolbox):
    assert "InstanceVG-tiny-shapes" in vgtoolbox("zoo")
    findings = vgtoolbox("doctor").splitlines()
    (miniature,) = [line for line in findings if "InstanceVG-tiny-shapes" in line]
    assert miniature.startswith("ok ")
    assert "_packaged/pretrain_weights" in miniature
    assert not [line for line in findings if line.startswith("!!")]


def test_demo_finds_the_red_circle(vgtoolbox, folder):
    printed = vgtoolbox(
        "demo", "--img", "photo.png", "--expression", "the red circle", "--device", "cpu"
    )
    assert "1 found" in printed
    (file,) = (folder / "demo_output").glob("photo-*.json")
    record = json.loads(file.read_text())
    _, box = max(zip(record["scores"], record["boxes_xyxy"], strict=True))
    assert box == pytest.approx([20, 30, 60, 70], abs=8)


def test_a_packaged_config_trains_by_name(vgtoolbox, folder):
    vgtoolbox("data", "shapes", "--out", "data/shapes", *TINY_SHAPES, "--workers", "1")
    vgtoolbox("train", "InstanceVG-tiny-shapes", "--device", "cpu", "--cfg-options", *SMALL_RUN)
    assert (folder / "work_dirs" / "InstanceVG-tiny-shapes" / "epoch_1.pth").is_file()
