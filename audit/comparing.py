"""Whether a record's search columns say what its body says. Pure module.

The body alone is hashed, chained and signed: whoever edits a column changes what searches find and nothing that a proof
covers. So the columns are made from the body again, as `audit.drafts` made them, and compared.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final
from uuid import UUID

import orjson

from audit.drafts import FIELDS, visible
from core.canonical import untagged

LISTS: Final = frozenset({"rule_ids", "scopes_used"})
DETAILS: Final = frozenset({"before", "after"})
_BYTES: Final = frozenset({"args_commit", "result_commit"})
_IDS: Final = frozenset({"id", "call_id", "parent_call_id", "batch_id"})
_NUMBERS: Final = frozenset({"latency_ms", "bytes"})
_SHOWN_MAX: Final = 200
_DOUBLE: Final = 2**53  # up to here a double holds every integer
_HUGE: Final = 2**1023
_TIME_LENGTH: Final = len("2026-11-28T12:00:00.000000Z")
_OTHERS: Final = LISTS | DETAILS | _BYTES | _NUMBERS | {"time"}
_TEXTS: Final = tuple(name for name in FIELDS if name not in _OTHERS | _IDS)
_EMPTY: Final = ("",) * len(_TEXTS)
_texts_of: Final = itemgetter(*_TEXTS)
Difference = tuple[str, str, str]  # column, what it should say, what it says


def differences(body: bytes, row: Mapping[str, Any]) -> list[Difference]:
    """The columns that say something else than the body; `row` has them as PostgreSQL's driver gives them."""
    try:
        said = orjson.loads(body)
        return list(_differences(said, row))
    except (ValueError, TypeError, AttributeError, RecursionError):
        return [("body", "a record", "something else")]


def _differences(said: Mapping[str, Any], row: Mapping[str, Any]) -> Iterator[Difference]:
    # Nearly all texts are the same in both, and most columns are empty in both.
    if _texts_of(row) != tuple(map(said.get, _TEXTS, _EMPTY)):
        for name in _TEXTS:
            if row[name] != (expected := _text(said.get(name, ""))):
                yield name, _shown(expected), _shown(row[name])
    for name in _IDS:
        value, found = said.get(name), row[name]
        if value != (found and str(found)) and found != (expected := _uuid(value)):
            yield name, _shown(expected), _shown(found)
    for name in _OTHERS:
        value, found = said.get(name), row[name]
        if found == value or found == (expected := _value(name, value)):
            continue
        if not (name in DETAILS and _rounded(found) == _rounded(expected)):
            yield name, _shown(expected), _shown(found)
    for name, expected in (("writer", _writer(said.get("writer"))), ("seq", untagged(said.get("seq")))):
        if row[name] != expected:
            yield name, _shown(expected), _shown(row[name])


def _value(name: str, value: Any) -> Any:
    if name in LISTS:
        return [_text(item) for item in value or ()]
    if value is None:
        return None
    if name in _BYTES:
        return bytes.fromhex(value)
    if name == "time":
        return datetime.fromisoformat(value.rjust(_TIME_LENGTH, "0"))  # no year was padded
    return visible(untagged(value))


def _text(value: Any) -> Any:
    return visible(untagged(value))


def _uuid(value: str | None) -> UUID | None:
    return UUID(value) if value is not None else None


_writer: Final = lru_cache(maxsize=1024)(_uuid)  # one for very many records


def _rounded(value: Any) -> Any:
    """PostgreSQL keeps every digit of a number, JSON in a body those of a double."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return float(value) if type(value) is int and _DOUBLE < abs(value) < _HUGE else value


def _shown(value: object) -> str:
    return ascii(value)[:_SHOWN_MAX]
