"""Definitions in, findings out, a JSON line each: the contract for outside tools (docs/scanning.md). Pure module.

One line is held at a time, and no more of it than `LINE_MAX` bytes; the answer to it is made before the next is read.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from tools.scanner.document import Item
from tools.scanner.engine import Report
from tools.scanner.guarded import SURFACES, look

LINE_MAX: Final = 64 * 2**20  # bytes
_ID_MAX: Final = 1000


class NoItem(ValueError):
    """A line holds nothing that can be scanned; the message says why and quotes nothing of it."""


def answers(read_line: Callable[[int], bytes]) -> Iterator[str]:
    """An answer to every line that is not empty. `read_line(most)` gives at most so many bytes of one, or nothing."""
    while line := read_line(LINE_MAX + 1):
        if len(line) > LINE_MAX:
            _skip_rest(line, read_line)
            yield _line({"id": None, "error": f"the line is longer than {LINE_MAX} bytes"})
        elif line.strip():
            yield answer(line)


def _skip_rest(line: bytes, read_line: Callable[[int], bytes]) -> None:
    while line and not line.endswith(b"\n"):
        line = read_line(2**20)


def answer(line: bytes) -> str:
    """The answer to one line, itself a line without its end."""
    identifier = None
    try:
        row = _row(line)
        identifier = row.get("id") if isinstance(row.get("id"), str | int) else None
        identifier = identifier[:_ID_MAX] if isinstance(identifier, str) else identifier
        return _line({"id": identifier, **told(look(item_of(row)))})
    except NoItem as error:
        return _line({"id": identifier, "error": str(error)})


def told(report: Report) -> dict[str, Any]:
    """A report as the contract has it."""
    findings = [
        {"rule": found.rule, "severity": found.severity.value, "field": found.field, "evidence": found.evidence}
        for found in report.findings
    ]
    return {"score": report.score, "risk": report.risk, "findings": findings}


def item_of(row: Mapping[str, Any]) -> Item:
    """What a row asks to be scanned. Raises `NoItem`."""
    definition, surface = row.get("definition"), row.get("surface", "tool")
    server, previous = row.get("server", ""), row.get("previous")
    if not isinstance(definition, dict):
        raise NoItem("there is no definition, or it is no object")
    if surface not in SURFACES:
        raise NoItem(f"the surface is none of {', '.join(SURFACES)}")
    if previous is not None and not isinstance(previous, dict):
        raise NoItem("previous is no object")
    return Item(definition, surface, server if isinstance(server, str) else "", _neighbours(row), previous)


def _neighbours(row: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    context = row.get("context") or []
    if not isinstance(context, list) or not all(isinstance(each, dict) for each in context):
        raise NoItem("context is no list of objects")
    return context


def _row(line: bytes) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
    except RecursionError:
        raise NoItem("the line is nested too deep to be read") from None
    except ValueError:
        raise NoItem("the line is not JSON in UTF-8") from None
    if not isinstance(row, dict):
        raise NoItem("the line is no object")
    return row


def _line(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=True, allow_nan=False)
