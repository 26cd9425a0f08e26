"""The files that operations are set up from: units, environment, deployments, and the page that explains them."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest
import yaml

from flows.artifacts import EXIT_MEANINGS
from tasks.errors import ExitCode

ROOT = Path(__file__).parents[2]
ANALYTICS_OFF = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}


def test_analytics_are_off_in_the_environment_of_the_services():
    lines = (ROOT / "docs/systemd/facetrace.env").read_text().splitlines()
    variables = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    assert ANALYTICS_OFF.items() <= variables.items()
    assert {"PREFECT_HOME", "PREFECT_API_URL", "FACETRACE_STUDIES", "FACETRACE_WEIGHTS"} <= variables.keys()


@pytest.mark.parametrize("name", ["server", "worker"])
def test_units_read_the_environment_and_keep_what_they_write_private(name):
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str
    unit.read(ROOT / f"docs/systemd/facetrace-{name}.service")
    assert unit["Service"]["EnvironmentFile"] == "/etc/facetrace/facetrace.env"
    assert unit["Service"]["UMask"] == "0077"


def test_deployments_name_no_path_and_turn_analytics_off():
    text = (ROOT / "prefect.yaml").read_text()
    project = yaml.safe_load(text)
    assert project["pull"] == []
    assert "{{" not in text
    flows = [item["entrypoint"].rpartition(".")[2] for item in project["deployments"]]
    assert flows == [
        "study", "extract", "summarize", "import_tables", "export", "classify", "compare", "atypicality", "report",
        "train_attributes", "demo",
    ]  # fmt: skip
    for deployment in project["deployments"]:
        assert deployment["work_pool"]["job_variables"]["env"] == ANALYTICS_OFF


def test_the_guide_explains_every_exit_code():
    table = (ROOT / "docs/operations.md").read_text().partition("| exit | means |")[2].partition("\n\n")[0]
    explained = {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    assert explained == {int(code) for code in ExitCode} == {int(code) for code in EXIT_MEANINGS}
