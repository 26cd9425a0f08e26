"""What holds for every page: self-contained, escaped, honest about missing tables, readable without its charts."""

from __future__ import annotations

import dataclasses
import json
import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from plotly import graph_objects

from features.frame_table import empty_rows
from tasks.attribute_tests import ATTRIBUTE_TEST_COLUMNS
from tasks.classification import PERFORMANCE_COLUMNS, PREDICTION_COLUMNS
from tasks.emotion_columns import COMPLEXITY_COLUMNS, DIVERSITY_COLUMNS, EMOTION_TEST_COLUMNS
from tasks.manifest import Outcome
from tasks.planted_effects import PLANTED_EFFECT_COLUMNS
from tasks.probing import TRIAGE_COLUMNS
from tasks.reports import (
    GroupReportInputs,
    ParticipantReportInputs,
    SessionRecord,
    build_group_report,
    build_participant_report,
    report_assets,
)
from tasks.reports.inputs import REQUIRED_COLUMNS

HOSTILE = '<script>alert("x")</script>'
WRITTEN = {
    "triage": TRIAGE_COLUMNS,
    "performance": PERFORMANCE_COLUMNS,
    "predictions": PREDICTION_COLUMNS,
    "attribute_tests": ATTRIBUTE_TEST_COLUMNS,
    "emotion_tests": EMOTION_TEST_COLUMNS,
    "combinations": COMPLEXITY_COLUMNS,
    "combination_tests": DIVERSITY_COLUMNS,
    "planted_effects": PLANTED_EFFECT_COLUMNS,
}


class Page(HTMLParser):
    """Collects what the tests ask about."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.resources: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.figures: list[dict[str, str]] = []
        self.specs: list[dict[str, object]] = []
        self.headings: list[str] = []
        self.scripts = 0
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.ids += [values["id"]] if "id" in values else []
        if tag == "a":
            self.links.append(values["href"])
        elif "src" in values or tag == "link":
            self.resources.append(values.get("src") or values["href"])
        if tag == "figure":
            self.figures.append({})
        if "chart" in values.get("class", "").split():
            self.figures[-1]["label"] = values.get("aria-label", "")
        self.scripts += tag == "script"
        self._inside = "json" if values.get("type") == "application/json" else tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "json":
            self.specs.append(json.loads(data))
        elif self._inside == "figcaption":
            self.figures[-1]["caption"] = self.figures[-1].get("caption", "") + data
        elif self._inside == "h2":
            self.headings.append(data)


@pytest.fixture(scope="module")
def group_page(group_inputs: GroupReportInputs) -> str:
    return build_group_report(group_inputs)


@pytest.fixture(scope="module")
def participant_page(participant_inputs: ParticipantReportInputs) -> str:
    return build_participant_report(participant_inputs)


@pytest.fixture(params=["group_page", "participant_page"])
def page(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue(request.param)


def test_page_refers_to_nothing_but_its_assets(page: str) -> None:
    parsed = Page(page)
    allowed = {"data:,", *(f"assets/{name}" for name in report_assets())}
    assert set(parsed.resources) <= allowed
    assert not re.search(r"@import|url\(\s*['\"]?(?!data:)", page)
    outside = [link for link in parsed.links if "//" in link]
    assert all(link.startswith(("https://doi.org/", "https://arxiv.org/")) for link in outside)


def test_charts_name_no_address(page: str) -> None:
    parsed = Page(page)
    assert len(parsed.specs) == len(parsed.figures) > 5
    assert not any("http" in json.dumps(spec) for spec in parsed.specs)


def test_charts_hold_to_the_schema_of_plotly(page: str) -> None:
    for spec in Page(page).specs:
        graph_objects.Figure(spec)  # raises on a property or value that plotly does not know


def test_every_chart_has_a_text_alternative(page: str) -> None:
    for figure in Page(page).figures:
        assert len(figure["label"]) > 30
        assert len(figure["caption"].strip()) > 30


def test_identifiers_are_unique_and_contents_point_to_them(page: str) -> None:
    parsed = Page(page)
    assert len(set(parsed.ids)) == len(parsed.ids)
    assert {link.removeprefix("#") for link in parsed.links if link.startswith("#")} <= set(parsed.ids)


def test_header_says_what_the_numbers_are(page: str) -> None:
    header = page.split("</header>", maxsplit=1)[0]
    assert "Research software. Not a diagnosis;" in header
    assert "demo weights" in header


def test_pages_are_small(group_page: str, participant_page: str) -> None:
    assert len(group_page.encode()) < 600_000
    assert len(participant_page.encode()) < 600_000


@pytest.mark.parametrize(("demo", "rendered", "words"), [(True, False, "Demo weights"), (False, True, "Rendered data")])
def test_banner_names_its_cause(group_inputs: GroupReportInputs, demo: bool, rendered: bool, words: str) -> None:
    facts = dataclasses.replace(group_inputs.facts, demo_weights=demo, rendered_data=rendered)
    inputs = GroupReportInputs(facts=facts, outcomes=group_inputs.outcomes)
    assert words in build_group_report(inputs).split("</header>")[0]


def test_no_banner_on_real_data_with_published_weights(group_inputs: GroupReportInputs) -> None:
    facts = dataclasses.replace(group_inputs.facts, demo_weights=False, rendered_data=False)
    header = build_group_report(GroupReportInputs(facts=facts)).split("</header>")[0]
    assert 'class="banner"' not in header
    assert "Not a diagnosis" in header


def test_hostile_participant_is_inert_in_the_group_report(group_inputs: GroupReportInputs, group_page: str) -> None:
    def rename(table: pd.DataFrame | None) -> pd.DataFrame | None:
        return None if table is None else table.replace({"participant_id": {"ASD03": HOSTILE}})

    renamed = {
        name: rename(getattr(group_inputs, name))
        for name in ("participants", "triage", "features", "predictions", "invalid_reasons")
    }
    outcomes = [dataclasses.replace(group_inputs.outcomes[0], participant_id=HOSTILE)]
    inputs = dataclasses.replace(group_inputs, outcomes=outcomes, **renamed)
    text = build_group_report(inputs)
    assert "&lt;script&gt;alert" in text
    assert "<script>alert" not in text
    assert Page(text).scripts == Page(group_page).scripts


def test_hostile_participant_is_inert_in_the_participant_report(
    participant_inputs: ParticipantReportInputs, participant_page: str
) -> None:
    cohort = participant_inputs.cohort
    assert cohort is not None
    inputs = dataclasses.replace(
        participant_inputs, participant_id=HOSTILE, cohort=cohort.replace({"participant_id": {"ASD03": HOSTILE}})
    )
    text = build_participant_report(inputs)
    assert "<script>alert" not in text
    assert Page(text).scripts == Page(participant_page).scripts
    names = [trace.get("name") for spec in Page(text).specs for trace in spec["data"]]  # type: ignore[union-attr]
    assert '&lt;script&gt;alert("x")&lt;/script&gt;' in names


@pytest.mark.parametrize(
    "name", ["participants", "triage", "features", "performance", "predictions", "emotion_tests", "combinations"]
)
def test_a_missing_table_is_explained(group_inputs: GroupReportInputs, name: str) -> None:
    reason = f"Table {name} was not made: 2 participants, 3 are needed"
    text = build_group_report(dataclasses.replace(group_inputs, **{name: None}, absent={name: reason}))
    if name not in ("participants", "triage"):  # both have a substitute in the other tables
        assert reason in text
    assert "Traceback" not in text


def test_a_run_without_any_table_still_has_a_report(group_inputs: GroupReportInputs) -> None:
    outcomes = [Outcome("P1", "", "clips", "failed", "No frame can be decoded")]
    text = build_group_report(GroupReportInputs(facts=group_inputs.facts, outcomes=outcomes))
    assert "No frame can be decoded" in text
    assert text.count('class="absent"') >= 5


def test_a_failed_recording_is_explained(failed_inputs: ParticipantReportInputs) -> None:
    text = build_participant_report(failed_inputs)
    assert "Not measured. No frame can be decoded." in text
    assert "Expected" not in text


@pytest.mark.parametrize("name", list(WRITTEN))
def test_reports_read_only_columns_that_the_steps_write(name: str) -> None:
    assert set(REQUIRED_COLUMNS[name]) <= {column.name for column in WRITTEN[name]}


@pytest.mark.parametrize("n_frames", [1, 40])
def test_a_recording_without_a_valid_frame_has_a_report(
    participant_inputs: ParticipantReportInputs, n_frames: int
) -> None:
    frames = empty_rows(n_frames).assign(frame=range(n_frames), time_s=[index / 25 for index in range(n_frames)])
    record = dataclasses.replace(participant_inputs.sessions[0], frames=frames, events=None)
    text = build_participant_report(dataclasses.replace(participant_inputs, sessions=(record,)))
    assert "Under the coverage gate: 0% of frames valid" in text
    assert 'id="recording-0-coverage"' in text


def test_two_recordings_have_sections_of_their_own(participant_inputs: ParticipantReportInputs) -> None:
    first = participant_inputs.sessions[0]
    sessions = tuple(dataclasses.replace(first, session=name) for name in ("1", "2"))
    parsed = Page(build_participant_report(dataclasses.replace(participant_inputs, sessions=sessions)))
    assert {"Recording 1, clips", "Signals 1, clips", "Recording 2, clips", "Signals 2, clips"} <= set(parsed.headings)
    assert len(set(parsed.ids)) == len(parsed.ids)


def test_a_missing_column_is_named(group_inputs: GroupReportInputs) -> None:
    features = group_inputs.features
    assert features is not None
    with pytest.raises(ValueError, match="valid_fraction in the table features"):
        dataclasses.replace(group_inputs, features=features.drop(columns="valid_fraction"))
    with pytest.raises(ValueError, match="time_s in the table frames"):
        SessionRecord(frames=pd.DataFrame({"frame": [0], "valid": [True], "invalid_reason": ["ok"]}))


def test_reports_name_no_absolute_path(group_inputs: GroupReportInputs) -> None:
    outcomes = [Outcome("P1", "", "clips", "failed", "Cannot read /home/lab/study/sub-P1/video.mp4: truncated")]
    settings = {"attributes": {"weights": "/srv/models/own.safetensors"}, "a": {"b": r"C:\Users\lab\own.safetensors"}}
    text = build_group_report(GroupReportInputs(facts=group_inputs.facts, outcomes=outcomes, settings=settings))
    assert "Cannot read video.mp4: truncated" in text
    assert not re.search(r"/home|/srv|Users", text)
    assert text.count("own.safetensors") == 2


def test_sections_of_the_group_report(group_page: str) -> None:
    assert Page(group_page).headings == [
        "At a glance", "Participant flow", "Run and participants", "Coverage and quality", "Planted effects", "Classification", "Features",
        "Attribute groups", "Action units by emotion", "Combinations of action units", "Figures for print", "Settings, versions, weights", "Methods", "Glossary",
    ]  # fmt: skip


def test_covariates_are_private_unless_asked_for(participant_inputs: ParticipantReportInputs) -> None:
    assert "<dt>Age</dt>" not in build_participant_report(participant_inputs)
    assert "<dt>Age</dt>" in build_participant_report(dataclasses.replace(participant_inputs, show_covariates=True))


def test_methods_cite_only_what_was_used(group_inputs: GroupReportInputs) -> None:
    text = build_group_report(dataclasses.replace(group_inputs, emotion_tests=None, combination_tests=None))
    assert "10.1109/ICIP.2019.8803604" in text
    assert "aoms/1177730491" not in text


def test_assets_are_plotly_alone() -> None:
    assets = report_assets()
    assert list(assets) == ["plotly.min.js"]
    assert "plotly.js v" in assets["plotly.min.js"][:200]
