"""Lines of CSV (RFC 4180) that a spreadsheet reads as text and never as a formula. Pure module."""

import csv
import io
from collections.abc import Iterable
from typing import Final

# What a spreadsheet takes for a formula, or drops before it looks for one; and the guard itself, so that taking one
# apostrophe away always gives the text back. The full-width forms are read as formulas by some.
_GUARDED: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "'", "＝", "＋", "－", "＠")  # noqa: RUF001 -- these characters are the point


def line(cells: Iterable[str]) -> bytes:
    """One line. Cells may hold line breaks, which stand in quotes."""
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(cells)
    return written.getvalue().encode()


def guarded(text: str) -> str:
    """`text` as a cell that no spreadsheet computes."""
    return f"'{text}" if text.startswith(_GUARDED) else text
