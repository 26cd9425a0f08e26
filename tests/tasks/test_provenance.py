import json
from datetime import UTC, datetime

import pytest

from features.frame_table import Column
from tasks.provenance import (
    Step,
    describe_differences,
    read_sidecar,
    sidecar_path,
    why_stale,
    write_atomic,
    write_sidecar,
    write_text_atomic,
)


@pytest.fixture
def step():
    return Step("extract", 1, {"detection.confidence": 0.7}, {"001//joy": "aa"}, {"detector": "bb"})


@pytest.fixture
def output(tmp_path, step):
    path = tmp_path / "table.parquet"
    write_text_atomic(path, "content")
    write_sidecar(
        path, step, description="A table", columns=[Column("x", "int32", "Times", "s")], started=datetime.now(UTC)
    )
    return path


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "a.txt"
    write_text_atomic(path, "old")
    with pytest.raises(RuntimeError), write_atomic(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["a.txt"]


def test_files_and_folders_are_private(tmp_path):
    write_text_atomic(tmp_path / "deep" / "er" / "a.txt", "x")
    assert (tmp_path / "deep" / "er" / "a.txt").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "deep").stat().st_mode & 0o777 == 0o700


def test_a_current_output_does_not_run_again(output, step):
    assert why_stale(output, step) is None


def test_what_changed_is_named(output):
    changed = Step("extract", 2, {"detection.confidence": 0.8}, {"001//joy": "cc"}, {"detector": "bb"})
    assert why_stale(output, changed) == "code_version 1 -> 2, detection.confidence 0.7 -> 0.8, 001//joy changed"


def test_of_many_changed_inputs_a_few_are_named():
    before = Step("a", 1, inputs={f"sub-{number:03d}": "old" for number in range(200)})
    after = Step("a", 1, inputs={f"sub-{number:03d}": "old" if number == 1 else "new" for number in range(200)})
    told = describe_differences(before.described(), after.described())
    assert told == "sub-000 changed, sub-002 changed, sub-003 changed, 196 more changed"


def test_an_altered_or_deleted_output_is_noticed(output, step):
    output.write_text("tampered")
    assert why_stale(output, step) == "the output was altered"
    output.unlink()
    assert why_stale(output, step) == "missing"


def test_a_damaged_sidecar_is_noticed(output, step):
    sidecar_path(output).write_text("{half")
    assert why_stale(output, step) == "its sidecar is missing or damaged"


def test_the_sidecar_holds_the_dictionary_and_no_path(output, tmp_path):
    sidecar = read_sidecar(output)
    assert sidecar["columns"]["x"] == {"description": "Times", "dtype": "int32", "unit": "s"}
    assert str(tmp_path) not in json.dumps(sidecar)


def test_the_key_does_not_depend_on_the_order_of_names():
    one = Step("s", 1, {"a": 1, "b": 2}, {"x": "1", "y": "2"})
    other = Step("s", 1, {"b": 2, "a": 1}, {"y": "2", "x": "1"})
    assert one.key == other.key != Step("s", 1, {"a": 1, "b": 3}, {"x": "1", "y": "2"}).key
