"""Classifiers over the frame tables of several attribute networks, side by side: figures 3a and 3b of Li et al. (2019).

Each network has a tree of derivatives of its own, classified by its own run; nothing is trained here. The trees may only be
compared where the same participants were classified with the same settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pandas as pd

from classifiers.tabular import CLASSIFIER_TITLES
from features.frame_table import Column
from features.vector_58 import FEATURE_SETS
from tasks.attribute_checkpoints import CHECKPOINT_SUFFIXES
from tasks.bids_names import Derivatives
from tasks.checking import CONFIG_NAME
from tasks.classification import PERFORMANCE_COLUMNS
from tasks.errors import InvalidInputError
from tasks.group_steps import require_whole
from tasks.provenance import MISSING, Step, find_damage, read_sidecar, sha256_file, write_sidecar, write_text_atomic
from tasks.settings_file import read_settings
from tasks.tables import read_table

COMPARED_METRICS: Final = ("f1", "sensitivity", "specificity")
"""What the paper prints."""

PUBLISHED_NETWORK: Final = "Li et al. (2019), bottleneck"
PUBLISHED_CLASSIFIER: Final = "not stated"
PUBLISHED_ABLATION: Final[Mapping[str, tuple[float, float, float]]] = {
    "AU": (0.69, 0.69, 0.62),
    "AU+arousal": (0.72, 0.71, 0.67),
    "AU+arousal+valence": (0.69, 0.67, 0.67),
    "all": (0.76, 0.76, 0.69),
}
"""F1, sensitivity and specificity of figure 3b: 88 children, features of the bottleneck network. The text calls the last row
the best of figure 3a, whose other numbers are printed in a picture only and are lost."""

PUBLISHED_NOTE: Final = (
    "Published: 49 children with ASD and 39 without, bottleneck features, classifier not stated; by the text the best of "
    "figure 3a, whose other numbers are in a picture only. They are of other children: read them beside ours, not against ours."
)
SELECTION_NOTE: Final = (
    "The best of several classifiers and networks, picked on the same participants, looks better than it is: "
    "read the range."
)

VERSION: Final = 1
_FEATURES: Final = ("features", "participants")
_PERFORMANCE: Final = ("performance", "classifiers")
_PREDICTIONS: Final = ("predictions", "classifiers")
_NETWORK: Final = Column(
    "network", "string", "Attribute network whose frame tables were summarised, or the publication"
)
_METRIC_NAMES: Final = tuple(f"{metric}{end}" for metric in COMPARED_METRICS for end in ("", "_low", "_high"))
_KEPT: Final = ("feature_set", "n_features", "classifier", "n", "n_positive", "n_negative", *_METRIC_NAMES)
NETWORK_COLUMNS: Final = (_NETWORK, *(column for column in PERFORMANCE_COLUMNS if column.name in _KEPT))
"""Data dictionary of ``desc-networks_classifiers.csv`` and ``desc-networks_ablation.csv``."""


@dataclass(frozen=True)
class ClassifiedNetwork:
    """What the classifiers made of the frame tables of one network.

    Attributes
    ----------
    name
        How it is called in the tables.
    performance, predictions
        ``desc-performance_classifiers``, ``desc-predictions_classifiers``.
    settings
        What decided them.
    inputs
        File -> hash.
    demo
        Whether demo weights are behind them.
    """

    name: str
    performance: pd.DataFrame
    predictions: pd.DataFrame
    settings: Mapping[str, Any]
    inputs: Mapping[str, str]
    demo: bool


@dataclass(frozen=True)
class PrintedTable:
    """A table for a terminal."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str


def find_derivatives(folder: Path) -> Derivatives:
    """Derivatives of a study folder, or a folder that is a tree of derivatives itself.

    Raises
    ------
    InvalidInputError
        If it is neither.
    """
    of_study = Derivatives.of_study(folder)
    if of_study.folder.is_dir():
        return of_study
    if (folder / "group").is_dir():
        return Derivatives(folder)
    raise InvalidInputError(
        f"Expected a study that was run, or a tree of derivatives with a folder group, in {folder.name}, got neither."
    )


def name_network(study_folder: Path, config: Path | None) -> str:
    """Name of the attribute weights in a study's settings, without folder and ending.

    Parameters
    ----------
    study_folder
        Study folder.
    config
        Settings file; None for the study's config.yaml, if there is one.
    """
    own = study_folder / CONFIG_NAME
    weights = read_settings(config or (own if own.is_file() else None)).attributes.weights
    path = Path(weights)
    return path.stem if path.suffix in CHECKPOINT_SUFFIXES else path.name


def read_classified(name: str, derivatives: Derivatives) -> ClassifiedNetwork:
    """Read the classifiers' tables of one tree.

    Raises
    ------
    InvalidInputError
        If they are missing, altered, or older than the features beside them.
    """
    paths = [derivatives.group_table(*where) for where in (_PERFORMANCE, _PREDICTIONS)]
    if any(find_damage(path) == MISSING for path in paths):
        raise InvalidInputError(
            f"Expected the classifiers' tables of {name}, they are missing. Run facetrace classify on it."
        )
    require_whole(paths)
    sidecar = read_sidecar(paths[0]) or {}
    features = derivatives.group_table(*_FEATURES)
    if features.exists() and sha256_file(features) not in sidecar["inputs"].values():
        raise InvalidInputError(
            f"Expected the classifiers' tables of {name} to be of its present features, which changed. Run facetrace classify on "
            "it."
        )
    return ClassifiedNetwork(
        name,
        read_table(paths[0]),
        read_table(paths[1]),
        sidecar["settings"],
        {f"{name}/{path.stem}": sha256_file(path) for path in paths},
        demo=bool(sidecar.get("facts", {}).get("demo_weights", False)),
    )


def require_comparable(networks: Sequence[ClassifiedNetwork]) -> None:
    """Stop where the networks' rows cannot stand beside each other; all reasons at once.

    Raises
    ------
    InvalidInputError
        If names repeat, or participants, their groups or the settings of the classifiers differ.
    """
    names = [item.name for item in networks]
    problems = [f"the name {name} stands for several" for name in sorted({n for n in names if names.count(n) > 1})]
    first = networks[0]
    for other in networks[1:]:
        problems += [f"{other.name}: {text}" for text in _differences(first, other)]
    if problems:
        raise InvalidInputError(
            f"Expected the same participants and settings as of {first.name} in every network, got:\n  "
            + "\n  ".join(problems)
        )


def _differences(first: ClassifiedNetwork, other: ClassifiedNetwork) -> list[str]:
    ours, theirs = _groups(first), _groups(other)
    problems = [f"without sub-{person}" for person in sorted(ours.keys() - theirs.keys())]
    problems += [f"with sub-{person}, who is not in {first.name}" for person in sorted(theirs.keys() - ours.keys())]
    problems += [
        f"sub-{person} is {theirs[person]}, not {ours[person]}"
        for person in sorted(ours.keys() & theirs.keys())
        if ours[person] != theirs[person]
    ]
    problems += [
        f"{key} is {other.settings.get(key)}, not {first.settings.get(key)}"
        for key in sorted(first.settings.keys() | other.settings.keys())
        if first.settings.get(key) != other.settings.get(key)
    ]
    return problems


def _groups(network: ClassifiedNetwork) -> dict[str, str]:
    rows = network.predictions.drop_duplicates("participant_id")
    return dict(zip(rows["participant_id"], rows["truth"], strict=True))


def join_classifiers(networks: Sequence[ClassifiedNetwork]) -> pd.DataFrame:
    """Figure 3a: one row a classifier and network, all 58 features; after them the published best.

    Parameters
    ----------
    networks
        Comparable networks.

    Returns
    -------
    DataFrame
        `NETWORK_COLUMNS`.
    """
    rows = _join(networks)
    rows = rows[rows["feature_set"] == "all"]
    order = {name: place for place, name in enumerate(CLASSIFIER_TITLES)}
    rows = rows.sort_values("classifier", key=lambda names: names.map(order), kind="stable")
    return _append(rows, _published(["all"]))


def join_ablation(networks: Sequence[ClassifiedNetwork]) -> pd.DataFrame:
    """Figure 3b: one row a network, classifier and set of features, fewest features first; before them the published rows.

    Parameters
    ----------
    networks
        Comparable networks.

    Returns
    -------
    DataFrame
        `NETWORK_COLUMNS`.
    """
    rows = _join(networks).sort_values("n_features", kind="stable")
    order = {name: place for place, name in enumerate(item.name for item in networks)}
    places = rows["network"].map(order) * len(CLASSIFIER_TITLES) + rows["classifier"].map(list(CLASSIFIER_TITLES).index)
    return _append(_published(list(PUBLISHED_ABLATION)), rows.loc[places.sort_values(kind="stable").index])


def _join(networks: Sequence[ClassifiedNetwork]) -> pd.DataFrame:
    tables = [item.performance[list(_KEPT)].assign(network=item.name) for item in networks]
    return pd.concat(tables, ignore_index=True)


def _published(feature_sets: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "network": PUBLISHED_NETWORK,
            "feature_set": name,
            "n_features": len(FEATURE_SETS[name]),
            "classifier": PUBLISHED_CLASSIFIER,
            "n": 88,
            "n_positive": 49,
            "n_negative": 39,
            **dict(zip(COMPARED_METRICS, PUBLISHED_ABLATION[name], strict=True)),
        }
        for name in feature_sets
    )


def _append(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    names = [column.name for column in NETWORK_COLUMNS]
    return pd.concat([first.reindex(columns=names), second.reindex(columns=names)], ignore_index=True)


def compare_networks(name: str, derivatives: Derivatives, others: Mapping[str, Path]) -> list[PrintedTable]:
    """Lay the classifiers of a study beside those of other networks, and write the two tables as CSV.

    Parameters
    ----------
    name
        What to call the study's own network.
    derivatives
        Of the study.
    others
        Name of each other network -> its study folder or tree of derivatives.

    Returns
    -------
    list of PrintedTable
        Figure 3a and, where the ablation was asked for, 3b. The same stand in the folder ``group`` of the derivatives as
        ``desc-networks_classifiers.csv`` and ``desc-networks_ablation.csv``.

    Raises
    ------
    InvalidInputError
        If a tree has no valid tables of classifiers, or they cannot be compared.
    OutputError
        If a table cannot be written.
    """
    trees = [(name, derivatives), *((label, find_derivatives(folder)) for label, folder in others.items())]
    networks = [read_classified(label, tree) for label, tree in trees]
    require_comparable(networks)
    classifiers, ablation = join_classifiers(networks), join_ablation(networks)
    _write(classifiers, derivatives, "classifiers", "Classifiers by attribute network, 58 features", networks)
    _write(ablation, derivatives, "ablation", "Classifiers by attribute network and set of features", networks)
    demo = [item.name for item in networks if item.demo]
    warning = f"Demo weights behind {', '.join(demo)}: no finding about people. " if demo else ""
    tables = [_print_classifiers(classifiers, f"{warning}{PUBLISHED_NOTE} {SELECTION_NOTE}")]
    if (networks[0].performance["feature_set"] != "all").any():
        tables.append(_print_ablation(ablation))
    return tables


def _write(
    table: pd.DataFrame, derivatives: Derivatives, suffix: str, description: str, networks: Sequence[ClassifiedNetwork]
) -> None:
    started = datetime.now(UTC)
    path = derivatives.group_table("networks", suffix).with_suffix(".csv")
    inputs = {key: value for item in networks for key, value in item.inputs.items()}
    write_text_atomic(path, table.to_csv(index=False, lineterminator="\n"))
    write_sidecar(
        path,
        Step("compare_networks", VERSION, networks[0].settings, inputs),
        description=f"{description}; published rows of Li et al. (2019) among them",
        columns=NETWORK_COLUMNS,
        started=started,
        facts={"demo_weights": any(item.demo for item in networks)},
    )


def _print_classifiers(table: pd.DataFrame, note: str) -> PrintedTable:
    rows = [
        [
            _title(row["classifier"]),
            str(row["network"]),
            str(int(row["n"])),
            *(_interval(row, m) for m in COMPARED_METRICS),
        ]
        for _, row in table.iterrows()
    ]
    headings = ("Classifier", "Network", "n", "F1", "Sensitivity", "Specificity")
    return PrintedTable("Classifiers by network, 58 features (figure 3a)", headings, rows, note)


def _print_ablation(table: pd.DataFrame) -> PrintedTable:
    sets = list(PUBLISHED_ABLATION)
    rows = []
    for (network, classifier), part in table.groupby(["network", "classifier"], sort=False):
        printed = {row["feature_set"]: _print_triple(row) for _, row in part.iterrows()}
        rows.append([str(network), _title(str(classifier)), *(printed.get(name, "") for name in sets)])
    headings = ("Network", "Classifier", *(f"{name} ({len(FEATURE_SETS[name])})" for name in sets))
    note = "F1/sensitivity/specificity; number of features in brackets. Intervals stand in desc-networks_ablation.csv."
    return PrintedTable("What each attribute adds (figure 3b)", headings, rows, note)


def _print_triple(row: pd.Series) -> str:
    return "/".join(f"{float(row[metric]):.2f}" for metric in COMPARED_METRICS)


def _title(classifier: str) -> str:
    return CLASSIFIER_TITLES.get(classifier, classifier)


def _interval(row: pd.Series, metric: str) -> str:
    if pd.isna(row[f"{metric}_low"]):
        return f"{row[metric]:.2f}"
    return f"{row[metric]:.2f} [{row[f'{metric}_low']:.2f}, {row[f'{metric}_high']:.2f}]"
