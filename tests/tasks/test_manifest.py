import json

import pytest

from tasks.errors import ExitCode
from tasks.manifest import Outcome, RunManifest


def outcome(name, status="ok", code=ExitCode.OK):
    return Outcome(name, "", "joy", status, "" if status == "ok" else "why", code)


@pytest.mark.parametrize(
    ("outcomes", "step_error", "line"),
    [
        ([outcome("1"), outcome("2")], None, "RESULT ok=2 failed=0 skipped=0 exit=0"),
        ([outcome("1"), outcome("2", "failed", ExitCode.INVALID_INPUT)], None, "RESULT ok=1 failed=1 skipped=0 exit=4"),
        ([outcome("1"), outcome("2", "skipped")], None, "RESULT ok=1 failed=0 skipped=1 exit=0"),
        ([outcome("1", "failed", ExitCode.INVALID_INPUT)], None, "RESULT ok=0 failed=1 skipped=0 exit=3"),
        ([outcome("1")], ExitCode.TOO_FEW_PARTICIPANTS, "RESULT ok=1 failed=0 skipped=0 exit=5"),
    ],
)
def test_the_result_line_counts_and_gives_the_exit_code(outcomes, step_error, line):
    manifest = RunManifest("run")
    manifest.add(outcomes)
    if step_error:
        manifest.add_step_error("classify", step_error, "2 participants")
    assert manifest.result_line() == line


def test_every_input_is_in_the_file(tmp_path):
    manifest = RunManifest("run")
    manifest.add([outcome("1"), outcome("2", "failed", ExitCode.INVALID_INPUT)])
    written = json.loads(manifest.write(tmp_path).read_text())
    assert [(item["participant_id"], item["status"], item["reason"]) for item in written["inputs"]] == [
        ("1", "ok", ""),
        ("2", "failed", "why"),
    ]
    assert written["exit_code"] == 4
