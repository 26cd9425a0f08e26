"""Names that SPSS accepts, by a rule that gives the same name to the same column every time.

References
----------
IBM SPSS Statistics, Command Syntax Reference, "Variable Names".
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from tasks.errors import InvalidInputError

MAX_BYTES: Final = 64
RESERVED: Final = frozenset({"ALL", "AND", "BY", "EQ", "GE", "GT", "LE", "LT", "NE", "NOT", "OR", "TO", "WITH"})

_ALLOWED: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_HASH_CHARACTERS: Final = 8


def spss_names(names: Sequence[str]) -> dict[str, str]:
    """Variable names of columns.

    Parameters
    ----------
    names
        Column names of a table, in order.

    Returns
    -------
    dict
        Column name -> variable name; the same wherever the name is allowed.

    Notes
    -----
    In this order: characters other than ASCII letters, digits and ``_`` become ``_`` (also dots); a name that does not begin
    with a letter gets ``v`` in front; ``_`` at the end goes; a reserved word gets ``_v``; of a name over 64 bytes the first
    55 stay, with ``_`` and eight hexadecimal digits of the SHA-256 of the column name; a name that differs from an earlier one of
    the table in case alone, or not at all, gets such digits likewise.

    Examples
    --------
    >>> spss_names(["AU12", "au12", "iq.total", "2nd", "with"])["iq.total"]
    'iq_total'
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        variable = re.sub(r"[^A-Za-z0-9_]", "_", name)
        if not variable[:1].isalpha():
            variable = f"v{variable}"
        variable = variable.rstrip("_") or "v"
        if variable.upper() in RESERVED:
            variable = f"{variable}_v"
        if len(variable) > MAX_BYTES or variable.upper() in taken:
            digits = hashlib.sha256(name.encode()).hexdigest()[:_HASH_CHARACTERS]
            variable = f"{variable[: MAX_BYTES - _HASH_CHARACTERS - 1]}_{digits}"
        taken.add(variable.upper())
        found[name] = variable
    check_spss_names(list(found.values()))
    return found


def check_spss_names(names: Sequence[str]) -> None:
    """Refuse names that SPSS would refuse, before a file is written: the writer itself lets some of them pass.

    Parameters
    ----------
    names
        Variable names of a file.

    Raises
    ------
    InvalidInputError
        Naming every one and what is wrong with it.
    """
    problems = [f"{name!r} {fault}" for name in names for fault in _faults(name)]
    counts = Counter(name.upper() for name in names)
    problems += [f"{name!r} differs from another in case alone" for name in names if counts[name.upper()] > 1]
    if problems:
        raise InvalidInputError(
            f"Expected variable names that SPSS accepts: {'; '.join(problems)}. Rename the columns."
        )


def _faults(name: str) -> Iterator[str]:
    if len(name.encode()) > MAX_BYTES:
        yield f"has over {MAX_BYTES} bytes"
    if not name[:1].isalpha():
        yield "does not begin with a letter"
    elif _ALLOWED.fullmatch(name) is None:
        yield "has characters other than letters, digits and _"
    if name.endswith("_"):
        yield "ends in _"
    if name.upper() in RESERVED:
        yield "is a reserved word"
