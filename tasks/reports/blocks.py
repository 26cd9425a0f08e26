"""Building blocks of a page, in the order in which they are read. Templates turn each kind into HTML; nothing here holds HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from tasks.reports.figures import Chart
from tasks.reports.formatting import is_missing


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table.

    Attributes
    ----------
    text
        What is printed.
    sort
        What the column is sorted by, where that is not the text.
    href
        Address that the text links to.
    detail
        Smaller print under the text, such as an interval.
    tone
        ``good``, ``bad``, ``warn`` or ``quiet``; never the only carrier of a meaning.
    """

    text: str
    sort: float | str | None = None
    href: str = ""
    tone: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Heading:
    """Heading of a table's column.

    Attributes
    ----------
    text
        What is printed.
    numeric
        Whether its cells are numbers, set flush right and sorted as numbers.
    hint
        Explanation of an abbreviation.
    """

    text: str
    numeric: bool = False
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table; its first column heads the rows.

    Attributes
    ----------
    id
        Identifier within the page.
    caption
        What it holds.
    headings, rows
        Columns and cells.
    note
        Sentence under the table.
    sortable
        Whether its headings are buttons that sort it.
    tall
        Whether it scrolls within its own height.
    folded
        Label under which it is folded away; empty to show it.
    """

    kind: ClassVar[str] = "table"
    id: str
    caption: str
    headings: Sequence[Heading]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    sortable: bool = True
    tall: bool = False
    folded: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True, slots=True)
class Subheading:
    """A heading within a section."""

    kind: ClassVar[str] = "subheading"
    text: str


@dataclass(frozen=True, slots=True)
class Findings:
    """Sentences that say what was found."""

    kind: ClassVar[str] = "findings"
    items: Sequence[str]


@dataclass(frozen=True, slots=True)
class Warnings:
    """What a reader has to know about the quality of a recording; `all_clear` is printed where there is nothing."""

    kind: ClassVar[str] = "warnings"
    items: Sequence[str]
    all_clear: str


@dataclass(frozen=True, slots=True)
class Absent:
    """Why something is not there."""

    kind: ClassVar[str] = "absent"
    reason: str


@dataclass(frozen=True, slots=True)
class Charts:
    """Charts side by side where there is room; `columns` is 1, 2 or 3."""

    kind: ClassVar[str] = "charts"
    charts: Sequence[Chart]
    columns: int = 1


@dataclass(frozen=True, slots=True)
class ColourKey:
    """Legend that several charts share: label and colour."""

    kind: ClassVar[str] = "key"
    items: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Tile:
    """A number in large type."""

    label: str
    value: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Tiles:
    """Numbers in large type."""

    kind: ClassVar[str] = "tiles"
    tiles: Sequence[Tile]


@dataclass(frozen=True, slots=True)
class FlowLoss:
    """How many participants were lost for a reason; `names` where they are few."""

    reason: str
    count: int
    names: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class FlowStep:
    """How many participants reached a step, altogether and by group, and who is lost on the way to the next."""

    label: str
    total: int
    by_group: Sequence[tuple[str, int]]
    losses: Sequence[FlowLoss] = ()

    @property
    def n_lost(self) -> int:
        """Participants who do not reach the next step."""
        return sum(loss.count for loss in self.losses)


@dataclass(frozen=True, slots=True)
class Flow:
    """Participant flow."""

    kind: ClassVar[str] = "flow"
    steps: Sequence[FlowStep]


@dataclass(frozen=True, slots=True)
class Facts:
    """Terms and what they are, in one or two columns."""

    kind: ClassVar[str] = "facts"
    pairs: Sequence[tuple[str, str]]
    columns: int = 1


@dataclass(frozen=True, slots=True)
class Reference:
    """A cited work with the address of its DOI or preprint."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class References:
    """List of cited works."""

    kind: ClassVar[str] = "references"
    items: Sequence[Reference]


@dataclass(frozen=True, slots=True)
class Matrix:
    """A confusion matrix: calls of the positive and of the comparison group, right and wrong."""

    label: str
    tp: int
    fn: int
    fp: int
    tn: int


@dataclass(frozen=True, slots=True)
class Matrices:
    """Confusion matrices side by side: rows are the truth, columns the call."""

    kind: ClassVar[str] = "matrices"
    positive: str
    comparison: str
    items: Sequence[Matrix]


@dataclass(frozen=True, slots=True)
class Links:
    """Files that belong to the report: label -> format and address of each."""

    kind: ClassVar[str] = "links"
    items: Sequence[tuple[str, Sequence[tuple[str, str]]]]


Block = (
    Text
    | Subheading
    | Findings
    | Warnings
    | Absent
    | Charts
    | ColourKey
    | Tiles
    | Flow
    | Facts
    | References
    | Table
    | Matrices
    | Links
)


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a page with an entry in its table of contents."""

    id: str
    title: str
    blocks: Sequence[Block]


def number_cell(text: str, value: Any, tone: str = "", *, detail: str = "") -> Cell:
    """A cell that prints `text` and sorts by `value`; missing values sort last."""
    missing = is_missing(value)
    return Cell(text, None if missing else float(value), tone=tone, detail=detail)


def numeric(text: str, hint: str = "") -> Heading:
    """Heading of a column of numbers."""
    return Heading(text, numeric=True, hint=hint)
