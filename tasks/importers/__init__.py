"""Tables of other tools to frame tables: which dialect a file is written in, and reading it."""

from __future__ import annotations

from typing import Final

from tasks.errors import InvalidInputError
from tasks.importers.imotions import IMOTIONS_AFFDEX, IMOTIONS_FACET
from tasks.importers.libreface import LIBREFACE
from tasks.importers.openface import OPENFACE_0, OPENFACE_2
from tasks.importers.pyfeat import PYFEAT_1, PYFEAT_2
from tasks.importers.reading import ExportFile, open_export
from tasks.importers.toolframes import Dialect, ToolFrames

__all__ = ["AUTO", "DIALECTS", "Dialect", "ExportFile", "ToolFrames", "find_dialect", "open_export"]

AUTO: Final = "auto"

DIALECTS: Final[dict[str, Dialect]] = {
    dialect.name: dialect
    for dialect in (OPENFACE_0, OPENFACE_2, PYFEAT_1, PYFEAT_2, LIBREFACE, IMOTIONS_FACET, IMOTIONS_AFFDEX)
}
"""Name -> dialect."""

_SHOWN_COLUMNS: Final = 20


def find_dialect(source: ExportFile, asked: str = AUTO) -> Dialect:
    """The dialect of a file.

    Parameters
    ----------
    source
        The file, of which the header was read.
    asked
        Name of a dialect, or ``auto``.

    Raises
    ------
    InvalidInputError
        If the name is unknown, the header is not of the dialect that was asked for, or is of none or several.
    """
    if asked not in (AUTO, *DIALECTS):
        raise InvalidInputError(f"Expected the dialect {AUTO}, {', '.join(DIALECTS)}; got '{asked}'.")
    names = frozenset(source.columns)
    fitting = [dialect for dialect in DIALECTS.values() if dialect.recognises(names)]
    if asked != AUTO:
        fitting = [dialect for dialect in fitting if dialect.name == asked]
    if len(fitting) == 1:
        return fitting[0]
    shown = ", ".join(source.columns[:_SHOWN_COLUMNS])
    more = f" and {len(source.columns) - _SHOWN_COLUMNS} more" if len(source.columns) > _SHOWN_COLUMNS else ""
    wanted = DIALECTS[asked].title if asked != AUTO else ", ".join(dialect.title for dialect in DIALECTS.values())
    several = f"; it fits {' and '.join(dialect.title for dialect in fitting)}" if fitting else ""
    raise InvalidInputError(
        f"{source.file}, line {source.header_line}: expected the columns of {wanted}, got {shown}{more}{several}. "
        "Use the table as the tool wrote it, with its header."
    )
