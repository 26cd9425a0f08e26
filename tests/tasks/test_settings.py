from pathlib import Path

import pytest

from tasks.errors import ExitCode, SettingsError
from tasks.settings import Settings
from tasks.settings_file import document_settings, known_settings, read_settings

ROOT = Path(__file__).parents[2]


def write(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text)
    return path


def test_the_file_at_the_root_is_the_schema_written_out():
    assert (ROOT / "config.yaml").read_text() == document_settings(), "run: facetrace settings > config.yaml"
    assert read_settings(ROOT / "config.yaml") == Settings()


def test_every_setting_is_documented():
    for name, section in Settings.model_fields.items():
        for field, info in type(section.default).model_fields.items():
            assert info.description, f"{name}.{field}"


def test_every_setting_is_read_somewhere():
    sources = [p.read_text() for folder in ("tasks", "flows") for p in (ROOT / folder).rglob("*.py")]
    text = "\n".join(source for source in sources if "class Settings(Section)" not in source)
    unused = [name for name in known_settings() if "." in name and f".{name.rpartition('.')[2]}" not in text]
    assert unused == []


def test_silence_means_defaults(tmp_path):
    assert read_settings(None) == Settings()
    assert read_settings(write(tmp_path, "")) == Settings()
    assert read_settings(write(tmp_path, "detection: {width: 320}")).detection.width == 320


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "detection:\n  confidense: 0.3",
            r"line 2: unknown setting detection.confidense. Did you mean detection.confidence\?",
        ),
        ("detectoin:\n  width: 320", r"line 1: unknown setting detectoin. Did you mean detection\?"),
        ("quality: {activation_threshold: 0.5}", r"Did you mean summarize.activation_threshold\?"),
        ("detection: {width: 3}", "detection.width is 3. Input should be greater than or equal to 160"),
        ("study: {positive_group: TD}", "name two groups"),
        ("classify: {classifiers: [logistic, forest]}", "classify.classifiers.1 is 'forest'"),
        ("- a\n- b", "Expected sections"),
        ("study: [", "Expected YAML"),
    ],
)
def test_a_wrong_setting_is_named_with_its_line(tmp_path, text, message):
    with pytest.raises(SettingsError, match=message) as error:
        read_settings(write(tmp_path, text))
    assert error.value.exit_code == ExitCode.SETTINGS == 2


def test_all_problems_are_listed_at_once(tmp_path):
    path = write(tmp_path, "detection: {width: 3, confidence: 2}\nvideo: {readr: pyav}")
    with pytest.raises(SettingsError) as error:
        read_settings(path)
    assert str(error.value).count("config.yaml, line") == 3


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(SettingsError, match="cannot be read"):
        read_settings(tmp_path / "absent.yaml")
