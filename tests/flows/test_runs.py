"""How runs begin that cannot go on: no study, no folder of studies."""

from __future__ import annotations

import pytest

from flows.runs import StudyNotFoundError, find_study
from tasks.errors import ExitCode


@pytest.mark.parametrize("value", [None, "", "{{ $FACETRACE_STUDIES }}"])
def test_a_missing_folder_of_studies_is_said(monkeypatch, value):
    # Prefect leaves a template as it is, or fills it with nothing, where the variable is not set.
    monkeypatch.delenv("FACETRACE_STUDIES", raising=False)
    if value is not None:
        monkeypatch.setenv("FACETRACE_STUDIES", value)
    with pytest.raises(StudyNotFoundError, match=r"Expected the environment variable FACETRACE_STUDIES"):
        find_study("my-study")


def test_a_study_is_named_and_not_located(monkeypatch, tmp_path):
    monkeypatch.setenv("FACETRACE_STUDIES", str(tmp_path))
    (tmp_path / "my-study").mkdir()
    assert find_study("my-study") == tmp_path / "my-study"
    with pytest.raises(StudyNotFoundError, match=r"got a whole path\.$"):
        find_study(str(tmp_path / "my-study"))
    with pytest.raises(StudyNotFoundError, match=r"study folder nonesuch .* got no such folder"):
        find_study("nonesuch")


def test_the_state_of_a_run_without_a_study_says_why(prefect_home, monkeypatch, tmp_path):
    from flows.disclosure import read_summary
    from flows.report import report

    monkeypatch.setenv("FACETRACE_STUDIES", str(tmp_path))
    state = report(study="nonesuch", return_state=True)
    assert state.message.startswith("RESULT ok=0 failed=0 skipped=0 exit=3: Expected the study folder nonesuch inside")
    with pytest.raises(StudyNotFoundError) as caught:
        read_summary(state)
    assert caught.value.exit_code == ExitCode.INVALID_INPUT
    assert list(tmp_path.iterdir()) == []


def test_the_log_of_a_run_that_could_not_begin_says_why(copied_study, run_study, change_settings):
    import json

    from tasks.errors import SettingsError

    change_settings(copied_study, detection={"confidense": 0.5})
    with pytest.raises(SettingsError):
        run_study(copied_study)
    log = json.loads(next((copied_study / "derivatives" / "facetrace" / "logs").glob("run-*.json")).read_text())
    assert log["result"] == "RESULT ok=0 failed=0 skipped=0 exit=2"
    assert "Did you mean detection.confidence?" in log["step_errors"][0]["reason"]
