"""Tables laid out as Ji et al. (2025) print them, with what their table leaves out."""

from __future__ import annotations

import pandas as pd

from features.facs import action_name
from tasks.reports.formatting import is_missing, number, p_value

NOT_AVAILABLE = "n/a"


def lay_out_tests(over_frames: pd.DataFrame, over_participants: pd.DataFrame) -> pd.DataFrame:
    """Lay tests out as Table IV of Ji et al. (2025): a row an action, columns for each emotion.

    Parameters
    ----------
    over_frames
        ``desc-emotionframes_tests``.
    over_participants
        ``desc-emotionaus_tests``.

    Returns
    -------
    DataFrame
        Text. Columns have two levels, emotion and measure: shares of both groups, Z and P over frames as published, Z and P
        (adjusted) over participants, effect with its interval, and which unit of analysis finds a difference. ``n/a`` where there
        is no number, ``†`` at units that select the frames of the emotion.
    """
    frames = over_frames.set_index(["emotion", "signal"])
    rows = []
    emotions = list(dict.fromkeys(over_participants["emotion"]))
    signals = list(dict.fromkeys(over_participants["signal"]))
    people = over_participants.set_index(["emotion", "signal"])
    for signal in signals:
        row: dict[tuple[str, str], str] = {("", "AU/AD"): signal, ("", "Name"): action_name(signal)}
        for emotion in emotions:
            row |= {
                (emotion, name): text
                for name, text in _describe_cell(people.loc[(emotion, signal)], frames.loc[(emotion, signal)]).items()
            }
        rows.append(row)
    table = pd.DataFrame(rows)
    table.columns = pd.MultiIndex.from_tuples(list(rows[0]))
    return table


def _describe_cell(person: pd.Series, frame: pd.Series) -> dict[str, str]:
    mark = " †" if person["selection"] else ""
    effect = NOT_AVAILABLE
    if not is_missing(person["rank_biserial"]):
        effect = f"{number(person['rank_biserial'])} [{number(person['ci_low'])}, {number(person['ci_high'])}]"
    return {
        f"% {person['group_a']}": _percent(person["mean_a"]),
        f"% {person['group_b']}": _percent(person["mean_b"]),
        "Z frames": _number(frame["z"]),
        "P frames": _p(frame["p"]),
        "Z participants": _number(person["z"]),
        "P participants": _p(person["p"]),
        "P adjusted": _p(person["p_bh"]),
        "r [interval]": effect + mark,
        "differs": str(frame["units_agree"]),
    }


def _number(value: float) -> str:
    return NOT_AVAILABLE if is_missing(value) else f"{value:.3f}"


def _percent(value: float) -> str:
    return NOT_AVAILABLE if is_missing(value) else f"{100 * value:.1f}"


def _p(value: float) -> str:
    return NOT_AVAILABLE if is_missing(value) else p_value(value)


def to_csv(table: pd.DataFrame) -> str:
    """A laid-out table as CSV, one header line: ``happy: Z frames``."""
    flat = table.copy()
    flat.columns = pd.Index([": ".join(part for part in names if part) for names in table.columns])
    return str(flat.to_csv(index=False, lineterminator="\n"))
