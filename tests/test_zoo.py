"""Metafiles of the repository, and errors about malformed ones."""

import textwrap
from pathlib import Path

import pytest
import torch

from vgtoolbox.engine import load_config
from vgtoolbox.engine.config import override
from vgtoolbox.inference import GroundingInferencer
from vgtoolbox.registry import MODELS
from vgtoolbox.utils.resources import resource_root
from vgtoolbox.zoo import ZooError, find_config, find_model, read_zoo, zoo_table

ZOO = read_zoo()

METAFILE = """
    system: Seer
    page: https://example.org/seer
    models:
      - name: Seer-small
        config: configs/seer.py
        weights: pretrain_weights/seer.pth
        published_as: small/seer.pth
        parameters: 12
        options: {model.deep: true}
        results:
          - {data: Sights, metric: mIoU, paper: {val: 71, test: 70.25}, ours: {val: 70.9}}
          - {data: Sights, metric: Acc, ours: {test: 5.0}}
      - name: Seer-ours
        config: configs/seer.py
        weights: pretrain_weights/ours.safetensors
"""


@pytest.fixture
def folder(tmp_path):
    """Return a folder of configs with one metafile."""
    configs = tmp_path / "configs"
    configs.mkdir()
    (configs / "seer_metafile.yml").write_text(textwrap.dedent(METAFILE))
    return configs


def test_all_fields_of_a_metafile_are_read(folder, tmp_path):
    zoo = read_zoo(folder)
    assert list(zoo) == ["Seer-small", "Seer-ours"]
    small, ours = zoo.values()
    assert (small.system, small.parameters) == ("Seer", 12)
    assert small.config == tmp_path / "configs" / "seer.py"
    assert small.results[0].paper == {"val": 71, "test": 70.25}
    assert small.results[0].splits == ("val", "test")
    assert (ours.page, ours.results) == ("", ())
    assert (small.options, ours.options) == ({"model.deep": True}, {})


def test_the_table(folder):
    assert zoo_table(list(read_zoo(folder).values())).splitlines()[2:] == [
        "| Seer-small | Sights val / test | mIoU | 71.0 / 70.25 | 70.9 |",
        "|  | Sights test | Acc | - | 5.0 |",
        "| Seer-ours |  |  | - | - |",
    ]


def test_the_table_of_first_results(folder):
    assert zoo_table(list(read_zoo(folder).values()), first_only=True).splitlines()[2:] == [
        "| Seer-small | Sights val / test | mIoU | 71.0 / 70.25 | 70.9 |",
        "| Seer-ours |  |  | - | - |",
    ]


def test_weights_may_be_a_folder(folder, tmp_path):
    (tmp_path / "pretrain_weights" / "seer.pth").mkdir(parents=True)
    found = find_model("Seer-small", folder).find_weights()
    assert found == tmp_path / "pretrain_weights" / "seer.pth"


def test_weights_are_found_as_published_or_converted(folder, tmp_path):
    model = find_model("Seer-small", folder)
    with pytest.raises(FileNotFoundError, match=r"small/seer\.pth at https://example\.org/seer"):
        model.find_weights()
    (tmp_path / "pretrain_weights").mkdir()
    for name in ("seer.safetensors", "seer.pth"):
        (tmp_path / "pretrain_weights" / name).touch()
        assert model.find_weights().name == name


def test_an_unknown_name_is_an_error(folder):
    with pytest.raises(FileNotFoundError, match="did you mean 'Seer-small'"):
        find_model("seer-smal", folder)
    with pytest.raises(FileNotFoundError, match="models: Seer-small, Seer-ours"):
        find_model("x", folder)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("system: Seer", "system:", "'system' must be a non-empty text"),
        ("models:", "entries:", "'models' must be a list"),
        ("- name: Seer-small", "- title: x", r"model \(without a name\): unknown key 'title'"),
        ("name: Seer-ours", "name: Seer-small", "Seer-small is already the name of another model"),
        ("val: 70.9", "val: 170.9", "Seer-small: ours must hold percentages"),
        ("metric: Acc, ", "", "Seer-small: 'metric' must be a non-empty text"),
        ("paper: {val: 71, test: 70.25}", "paper: 71", "paper must be a mapping, got 71"),
        ("system: Seer", "system: [", "is not valid YAML"),
        ("system: Seer", "system: Seer\nx: &x [1]\ny: &y [*x, *x]", r"must not contain an alias"),
        ("system: Seer", "system: " + "[" * 3000, "is not valid YAML"),
        ("system: Seer", "system: Seer\nx: 2026-99-99", "a value that YAML cannot represent"),
        ("models:", "models: 5\nx:", "'models' must be a list, got 5"),
        ("- name: Seer-small", "- name: [[[1]]]", r"'name' must be a non-empty text, got \[\[\[1"),
    ],
)
def test_malformed_metafiles_are_errors(folder, old, new, message):
    file = folder / "seer_metafile.yml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(ZooError, match=message):
        read_zoo(folder)


@pytest.mark.parametrize("parameters", ["many", "1.5", "-1", "null", "true", "[1]"])
def test_the_number_of_parameters_is_checked(folder, parameters):
    file = folder / "seer_metafile.yml"
    entry = f"- name: Seer-x\n    parameters: {parameters}\n    config: a.py\n    weights: a.pth\n"
    file.write_text(file.read_text().replace("- name: Seer-small", f"{entry}  - name: Seer-small"))
    with pytest.raises(ZooError, match="Seer-x: 'parameters' must be a number of 0 or more"):
        read_zoo(folder)


def test_a_metafile_in_another_encoding_is_an_error(folder):
    file = folder / "seer_metafile.yml"
    file.write_bytes(file.read_text().replace("Seer-small", "Sé").encode("latin-1"))
    with pytest.raises(ZooError, match=r"seer_metafile\.yml is not valid YAML in UTF-8"):
        read_zoo(folder)


@pytest.mark.parametrize("model", ZOO.values(), ids=list(ZOO))
def test_every_config_builds_a_model_of_the_stated_size(model):
    cfg = load_config(model.config)
    for key, value in model.options.items():
        override(cfg, key, value)
    with torch.device("meta"):
        built = MODELS.build(cfg.model)
    size = sum(parameter.numel() for parameter in built.parameters())
    assert size == (model.parameters or size)
    assert cfg.test_splits


@pytest.mark.parametrize("model", ZOO.values(), ids=list(ZOO))
def test_inference_does_not_use_the_ground_truth(model):
    cfg = load_config(model.config)
    for key, value in model.options.items():
        override(cfg, key, value)
    assert cfg.model.get("protocol") != "teacher_forced"
    tokenizer = cfg.model.get("mllm", {}).get("tokenizer", {})
    folder = tokenizer.get("folder") or Path(tokenizer.get("model_file", model.weights)).parent
    assert not tokenizer or resource_root() / folder == model.weights


@pytest.mark.parametrize("model", ZOO.values(), ids=list(ZOO))
def test_every_name_loads_or_reports_the_missing_weights(model):
    if any(model.weights.with_suffix(suffix).is_file() for suffix in (".pth", ".safetensors")):
        inferencer = GroundingInferencer(model.name, device="cpu")
        assert type(inferencer.model).__name__ == model.system
        return
    assert model.page, f"{model.name} is neither published nor in the repository"
    with pytest.raises(FileNotFoundError, match=f"put {model.published_as} at {model.page}"):
        GroundingInferencer(model.name, device="cpu")


def test_a_name_with_another_checkpoint():
    weights = resource_root() / "pretrain_weights" / "InstanceVG-tiny-shapes.safetensors"
    by_name = GroundingInferencer("InstanceVG-tiny-shapes", weights, device="cpu")
    by_file = GroundingInferencer(checkpoint=weights, device="cpu")
    assert by_name.config.model == by_file.config.model


class TestFindConfig:
    @pytest.mark.parametrize(
        "name",
        [
            "InstanceVG-grefcoco",
            "InstanceVG-grefcoco.py",
            "gres/InstanceVG-grefcoco",
            "configs/gres/InstanceVG-grefcoco.py",
        ],
    )
    def test_packaged_configs_are_found_by_name_from_any_folder(self, name, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert find_config(name) == resource_root() / "configs/gres/InstanceVG-grefcoco.py"

    def test_a_file_comes_first(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "InstanceVG-grefcoco.py").write_text("")
        assert find_config("InstanceVG-grefcoco.py") == Path("InstanceVG-grefcoco.py")

    def test_an_unknown_name_is_an_error_that_names_the_nearest(self):
        with pytest.raises(FileNotFoundError, match="did you mean 'InstanceVG-grefcoco'"):
            find_config("InstanceVG-grefcoc")

    def test_base_configs_are_not_names(self):
        with pytest.raises(FileNotFoundError):
            find_config("shapes_cpu")
