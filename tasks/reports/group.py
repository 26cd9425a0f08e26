"""The group report: one page on a whole study."""

from __future__ import annotations

from tasks.reports.atypicality import describe_atypicality
from tasks.reports.blocks import Block, Findings, Links, Section, Text, Tile, Tiles
from tasks.reports.classification import describe_classification, find_performance
from tasks.reports.cohort import count_groups, list_participants, summarise_run
from tasks.reports.combinations import describe_combinations
from tasks.reports.coverage import describe_coverage
from tasks.reports.differences import describe_attribute_tests, describe_emotion_tests
from tasks.reports.feature_effects import describe_features, measure_effects
from tasks.reports.flow import ANALYSED, build_flow, reached_steps
from tasks.reports.formatting import percent, plural
from tasks.reports.inputs import GroupReportInputs
from tasks.reports.methods import describe_glossary, describe_methods, describe_provenance
from tasks.reports.pages import render_page
from tasks.reports.planted import describe_planted
from tasks.reports.quality import describe_quality


def build_group_report(inputs: GroupReportInputs) -> str:
    """Build the group report.

    Parameters
    ----------
    inputs
        Tables and facts; a table that is None leaves a section that says why.

    Returns
    -------
    str
        A complete HTML document. It refers to nothing but the assets of `report_assets` and the participant reports.
    """
    effects = None if inputs.features is None else measure_effects(inputs.features, inputs.facts)
    sections = [
        Section("glance", "At a glance", _glance(inputs)),
        Section("flow", "Participant flow", [build_flow(inputs)]),
        Section("run", "Run and participants", summarise_run(inputs, _analysed(inputs))),
        Section("coverage", "Coverage and quality", [*describe_coverage(inputs), *describe_quality(inputs)]),
    ]
    if inputs.planted_effects is not None or (inputs.facts.rendered_data and "planted_effects" in inputs.absent):
        sections.append(Section("planted-effects", "Planted effects", describe_planted(inputs)))
    sections += [
        Section("classification", "Classification", describe_classification(inputs)),
        Section("features", "Features", describe_features(inputs, effects)),
        Section("attribute-groups", "Attribute groups", describe_attribute_tests(inputs)),
        Section("emotions", "Action units by emotion", describe_emotion_tests(inputs)),
        Section("combinations", "Combinations of action units", describe_combinations(inputs)),
        *(
            [Section("atypicality", "Predicted atypicality", describe_atypicality(inputs.atypicality))]
            if inputs.atypicality is not None
            else []
        ),
        *_list_figures(inputs),
        Section("provenance", "Settings, versions, weights", describe_provenance(inputs)),
        Section("methods", "Methods", describe_methods(inputs)),
        Section("glossary", "Glossary", describe_glossary(statistics=True)),
    ]
    names = list_participants(inputs)
    return render_page(
        "group.html.j2",
        inputs.facts,
        title=f"{inputs.facts.study_name} - group report",
        counts=f"{plural(len(names), 'participant')} ({count_groups(inputs, set(names))})",
        sections=sections,
    )


def _analysed(inputs: GroupReportInputs) -> set[str] | None:
    label, names = reached_steps(inputs)[-1]
    return names if label == ANALYSED else None


def _list_figures(inputs: GroupReportInputs) -> list[Section]:
    if not inputs.figure_links:
        return []
    text = "The figures of this study as vector graphics, drawn from the same tables; the same numbers give the same files."
    return [Section("figures", "Figures for print", [Text(text), Links(inputs.figure_links)])]


def _glance(inputs: GroupReportInputs) -> list[Block]:
    analysed = _analysed(inputs)
    names = list_participants(inputs)
    tiles = [Tile("Participants", str(len(names)), count_groups(inputs, set(names)))]
    if analysed is not None:
        tiles.append(Tile("Analysed", str(len(analysed)), count_groups(inputs, analysed)))
    if inputs.outcomes:
        ok = sum(outcome.status == "ok" for outcome in inputs.outcomes)
        tiles.append(Tile("Recordings ok", f"{ok} of {len(inputs.outcomes)}", _not_ok(inputs)))
    if inputs.features is not None and len(inputs.features):
        fractions = inputs.features["valid_fraction"]
        tiles.append(Tile("Valid frames, median", percent(fractions.median()), f"lowest {percent(fractions.min())}"))
    findings = []
    if inputs.performance is not None:
        full = inputs.performance[inputs.performance["feature_set"] == "all"]
        findings += [f"Classification: {' '.join(find_performance(full, inputs.facts)[:2])}"] if len(full) else []
    tests = {
        "Attribute groups": describe_attribute_tests(inputs),
        "Action units by emotion": describe_emotion_tests(inputs),
    }
    for label, blocks in tests.items():
        findings += [f"{label}: {block.items[0]}" for block in blocks if isinstance(block, Findings)]
    findings = findings or ["No analysis produced a result in this run; each section below says why."]
    return [Tiles(tiles), Findings(findings)]


def _not_ok(inputs: GroupReportInputs) -> str:
    counts = {status: sum(o.status == status for o in inputs.outcomes) for status in ("failed", "skipped")}
    return ", ".join(f"{count} {status}" for status, count in counts.items() if count) or "none failed or skipped"
