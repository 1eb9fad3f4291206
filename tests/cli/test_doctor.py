import re

import pytest

from vgtoolbox.cli import doctor
from vgtoolbox.cli.doctor import Finding, environment, examine, next_step
from vgtoolbox.preparation import BENCHMARKS


def test_missing_data_has_a_remedy(tmp_path):
    findings = {finding.subject: finding for finding in examine(tmp_path)}
    absent = findings[BENCHMARKS["grefcoco"].title]
    assert absent.state == "absent"
    assert "grefcoco/grefs(unc).json" in absent.found
    assert absent.remedy == f"vgtoolbox data grefcoco --root {tmp_path}"
    assert findings["generated shapes"].state == "absent"
    assert findings["torch"].state == "good"


def test_existing_files_are_found(tmp_path):
    benchmark = BENCHMARKS["grefcoco"]
    for path in benchmark.missing_files(tmp_path):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    for folder in benchmark.missing_images(tmp_path):
        (tmp_path / folder / "an_image").mkdir(parents=True)
    assert doctor.check_data(benchmark, tmp_path).state == "good"


def test_only_packages_of_an_extra_may_be_absent(monkeypatch):
    monkeypatch.setattr(doctor, "_version", lambda name: None)
    findings = {finding.subject: finding for finding in doctor.check_packages()}
    assert findings["torch"].state == "broken"
    assert findings["gradio"].state == "absent"
    assert findings["gradio"].remedy == "pip install 'vgtoolbox[demo]'"


def test_missing_weights_have_a_remedy(tmp_path):
    for finding in doctor.check_weights():
        assert finding.state == "good" or re.search("published|checkpoint|put", finding.remedy)


@pytest.mark.parametrize(
    ("subject", "state", "words"),
    [
        ("torch", "broken", "fix this first: do this"),
        ("generated shapes", "absent", "Begin with: do this"),
        ("torch", "good", "vgtoolbox webui"),
    ],
)
def test_the_next_step(subject, state, words):
    findings = {"good": [], "absent": [], "broken": []}
    findings[state].append(Finding(subject, state, "", "do this"))
    assert words in next_step(findings)


def test_environment_has_versions():
    versions = environment()
    assert {"vgtoolbox", "python", "torch", "mmengine", "device"} <= versions.keys()
