"""What becomes of an answer that speaks to the model: recorded, marked or withheld, as its server's setting says.

The rules are `tools.scanner.answers`. What passes on at once, such as progress, is not looked at; the answer is, before
its outcome is recorded and anything of it is released. A long one is looked at beside the event loop.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from gateway import jsonrpc
from gateway.errors import WITHHELD, Refused
from gateway.exchange import Admitted
from gateway.released import Released
from servers.rules import Answers
from tools.scanner.answers import NOTHING, AnswerReport, scan_answer

MARK: Final = "holdfast/answer"  # member of `_meta`
UNSCANNED: Final = {"incomplete": True}
_LONG: Final = 32 * 1024  # bytes from which on the loop is better left alone meanwhile
_HIGH: Final = frozenset({"high", "critical"})
_READABLE: Final = frozenset({"tools/call", "tasks/result"})  # whose results a model reads
_LOOKED_AT: Final = frozenset({*_READABLE, "prompts/get", "resources/read", "tasks/get"})
_log: Final = logging.getLogger(__name__)


class Looked(Struct, frozen=True):
    """How the call ends after all, and what the record says of its answer."""

    released: Released
    found: Mapping[str, Any] | None = None


async def look(admitted: Admitted, released: Released) -> Looked:
    """Look at an answer as the server's setting says. Raises nothing that an answer can cause."""
    looked = look_at_once(admitted, released)
    if looked is not None:
        return looked
    return _judged(admitted, released, await asyncio.to_thread(_scanned, released.read or released.error or {}))


def look_at_once(admitted: Admitted, released: Released) -> Looked | None:
    """The same, where nothing must be waited for; None for a long answer, of which `look` has more to do."""
    read, policy = released.read or released.error, admitted.server.answers
    if read is None or admitted.request.method not in _LOOKED_AT:
        return Looked(released)
    if policy is Answers.OFF:
        return Looked(_marked(admitted, released, None))
    if released.result is not None and len(released.result) > _LONG:
        return None
    return _judged(admitted, released, _scanned(read))


def _scanned(read: Mapping[str, Any]) -> AnswerReport | None:
    try:
        return scan_answer(read)
    except Exception as error:  # noqa: BLE001 -- whatever a rule stumbles over is no approval, and no reason to hang
        _log.error("An answer could not be scanned: %s.", type(error).__name__)
        return None


def _judged(admitted: Admitted, released: Released, report: AnswerReport | None) -> Looked:
    policy = admitted.server.answers
    if report is NOTHING:  # most are, and need no more than to carry no mark
        return Looked(_marked(admitted, released, None))
    found = _found(report, policy)
    if policy is Answers.WITHHOLD and (report is None or report.risk in _HIGH):
        return Looked(_withheld(admitted, unread=report is None), found)
    said = found if policy is Answers.MARK and report is not None and report.findings else None
    return Looked(_marked(admitted, released, said), found)


def _found(report: AnswerReport | None, policy: Answers) -> Mapping[str, Any] | None:
    """What the record says: rules and places, never a text."""
    if report is None:
        return {"policy": policy.value, **UNSCANNED}
    if not report.findings and not report.is_cut:
        return None
    found: dict[str, Any] = {"policy": policy.value, "risk": report.risk}
    if report.is_cut:
        found |= {"cut": True}
    return {**found, "findings": [{"rule": each.rule, "field": each.field} for each in report.findings]}


def _withheld(admitted: Admitted, *, unread: bool) -> Released:
    """The agent is told, and the call by whose id a person finds the record."""
    why = "it could not be checked" if unread else "it may speak to the model or hold secrets"
    text = f"The answer of this call is withheld, because {why}. Call id: {admitted.exchange.id}."
    reason = "answer_unscanned" if unread else "answer_withheld"
    readable = admitted.request.method in _READABLE
    return Released("withheld", reason, failure=Refused(reason, text, code=WITHHELD, readable=readable))


def _marked(admitted: Admitted, released: Released, found: Mapping[str, Any] | None) -> Released:
    """The result with our mark, and without one that the server set."""
    read = released.read
    if read is None:
        return released
    if admitted.request.method == "tasks/get" and isinstance(read.get("result"), dict):
        inner = _with_mark(read["result"], found)
        marked = read if inner is read["result"] else {**read, "result": inner}
    else:
        marked = _with_mark(read, found)
    if marked is read:
        return released
    return Released(released.status, released.error_class, result=jsonrpc.dumps(marked), read=marked)


def _with_mark(result: Mapping[str, Any], found: Mapping[str, Any] | None) -> Mapping[str, Any]:
    meta = result.get("_meta")
    kept = meta if isinstance(meta, dict) else {}
    if found is None and MARK not in kept:
        return result
    kept = {key: value for key, value in kept.items() if key != MARK}
    if found is not None:
        rules = sorted({each["rule"] for each in found["findings"]})
        kept[MARK] = {"risk": found["risk"], "rules": rules}
    if kept:
        return {**result, "_meta": kept}
    return {key: value for key, value in result.items() if key != "_meta"}
