"""The comparison for print: layout, figures, methods text, page."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from features.vector_58 import FEATURE_NAMES
from tasks.attribute_tests import compare_attribute_readings, compare_attributes
from tasks.bids_names import Derivatives
from tasks.comparison import Comparison, compare_frames_of_emotions
from tasks.comparison_tables import describe_comparison
from tasks.provenance import read_sidecar
from tasks.publication import update_publication
from tasks.publication.layout import lay_out_tests, to_csv
from tasks.publication.methods import write_methods
from tasks.settings import CompareSettings, StudySettings, SummarizeSettings
from tasks.step_plans import plan_comparison
from tasks.steps import bring_up_to_date

SIGNALS = ("AU01", "AU04", "AU12")
SETTINGS = CompareSettings(permutations=199, bootstrap_samples=100)
STUDY = StudySettings(name="A & B <study>")


class Tags(HTMLParser):
    """Names and attributes of all tags."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs) -> None:
        self.found.append((tag, dict(attrs)))


def make_comparison(groups: tuple[str, str] = ("ASD", "TD")) -> Comparison:
    rng = np.random.default_rng(0)
    parts = []
    for person in range(12):
        rates = np.clip(rng.beta(1, 3, 3) + [0, 0, 0.4 * (person % 2)], 0, 1)
        part = pd.DataFrame((rng.random((80, 3)) < rates).astype(np.uint8), columns=list(SIGNALS))
        part["emotion"] = np.where(np.arange(80) < 40, "joy", "sadness")
        parts.append(
            part.assign(participant_id=f"{person:02d}", group=groups[person % 2], session="", task="", frame=range(80))
        )
    frames = pd.concat(parts, ignore_index=True)
    people = pd.DataFrame(rng.normal(size=(12, 58)), columns=list(FEATURE_NAMES)).assign(group=["ASD", "TD"] * 6)
    tables = compare_frames_of_emotions(frames, SETTINGS, signals=SIGNALS, order=["joy", "sadness"])
    return Comparison(
        attribute_groups=compare_attributes(people), attribute_readings=compare_attribute_readings(people), **tables
    )


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return make_comparison()


def write_tables(comparison: Comparison, derivatives: Derivatives) -> None:
    planned = plan_comparison(derivatives, [], {}, settings=SETTINGS, study=STUDY, summarize=SummarizeSettings())
    bring_up_to_date(planned, lambda: describe_comparison(comparison, {"rendered": True}))


def publish(derivatives: Derivatives, settings: CompareSettings = SETTINGS) -> str | None:
    return update_publication(derivatives, settings=settings, study=STUDY, summarize=SummarizeSettings())


def test_layout_of_table_four(comparison) -> None:
    table = lay_out_tests(comparison.emotion_frames, comparison.emotion_aus)
    assert table[("", "AU/AD")].tolist() == list(SIGNALS)
    assert list(dict.fromkeys(names[0] for names in table.columns)) == ["", "joy", "sadness"]
    row = comparison.emotion_frames.set_index(["emotion", "signal"]).loc[("sadness", "AU12")]
    cells = table[table[("", "AU/AD")] == "AU12"]["sadness"].iloc[0]
    assert cells["Z frames"] == f"{row['z']:.3f}"
    assert cells["differs"] == row["units_agree"]
    read = pd.read_csv(io.StringIO(to_csv(table)), keep_default_na=False)
    assert read.columns[:3].tolist() == ["AU/AD", "Name", "joy: % ASD"]
    assert len(read) == len(SIGNALS)


def test_tests_that_were_not_made_are_not_numbers() -> None:
    few = make_comparison(("ASD", "other"))
    table = lay_out_tests(few.emotion_frames, few.emotion_aus)
    assert set(table[("joy", "Z frames")]) == set(table[("joy", "r [interval]")]) == {"n/a"}


def test_methods_name_what_was_done(comparison) -> None:
    text = write_methods(
        comparison.emotion_aus,
        SETTINGS,
        study=STUDY,
        summarize=SummarizeSettings(),
        versions={"facetrace": "1.2", "scipy": "9"},
    )
    assert "joy: 6 ASD and 6 TD; sadness: 6 ASD and 6 TD" in text[0]
    assert "199 permutations" in text[1]
    assert "facetrace 1.2, scipy 9" in text[-2]
    assert text[-1].startswith("References: ")
    for author in ("Mann", "Benjamini", "Holm", "Liang", "Mancl", "Hurlbert", "Newcombe", "Phipson", "Ji", "Li"):
        assert any(author in paragraph for paragraph in text[:-2])
        assert author in text[-1]
    changed = CompareSettings(emotion="vote", covariates=("age",), model_family="gaussian")
    other = " ".join(
        write_methods(comparison.emotion_aus, changed, study=STUDY, summarize=SummarizeSettings(), versions={})
    )
    assert "circular" in other
    assert "with age as covariates" in other
    assert "(linear," in other


def test_page_and_figures_stand_alone(comparison, tmp_path) -> None:
    derivatives = Derivatives.of_study(tmp_path)
    write_tables(comparison, derivatives)
    assert publish(derivatives) == "missing"
    folder = derivatives.folder / "group"
    page = (folder / "comparison.html").read_text()
    tags = Tags()
    tags.feed(page)
    assert not [a for tag, a in tags.found if tag in {"script", "link", "img", "iframe"}]
    assert "A &amp; B &lt;study&gt;" in page
    assert "Made with rendered faces" in page
    assert sum(tag == "svg" for tag, _ in tags.found) == 4
    for name in ("effects", "participants", "rates", "complexity"):
        svg = (folder / "figures" / f"{name}.svg").read_text()
        assert ET.fromstring(svg).tag.endswith("svg")  # noqa: S314
        assert svg in page
        pdf = folder / "figures" / f"{name}.pdf"
        assert pdf.read_bytes().startswith(b"%PDF-")
        assert b"CreationDate" not in pdf.read_bytes()
        for path in (folder / "figures" / f"{name}.svg", pdf):
            assert read_sidecar(path)["facts"] == {"rendered": True}
    assert len((folder / "comparison_tests.csv").read_text().splitlines()) == 1 + len(SIGNALS)
    figures = {path: path.read_bytes() for path in (folder / "figures").iterdir() if path.suffix != ".json"}
    assert len(figures) == 8
    assert publish(derivatives) is None
    (folder / "figures" / "rates.pdf").unlink()
    assert publish(derivatives) is not None
    assert {path: path.read_bytes() for path in figures} == figures  # the same to the byte
    assert publish(derivatives, CompareSettings(permutations=199, bootstrap_samples=100, alpha=0.01)) is not None


def test_nothing_to_compare_is_said(tmp_path) -> None:
    derivatives = Derivatives.of_study(tmp_path)
    write_tables(make_comparison(("ASD", "other")), derivatives)
    publish(derivatives)
    page = (derivatives.folder / "group" / "comparison.html").read_text()
    assert "No emotion could be compared" in page
    assert "<svg" not in page
    assert "No emotion could be compared" in (derivatives.figures / "rates.svg").read_text()
