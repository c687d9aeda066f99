"""What the audit log is searched by: one reading of filters for the API, the console and saved searches. Pure module.

Filters arrive as text and are kept as text (`canonical`), so that a saved search is read again like any other.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from audit.events import Event, RecordType
from core.errors import Invalid

DECISIONS: Final = ("allowed", "denied")
LONGEST: Final = 2000  # characters of one filter
_MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?"
)
_UUID: Final = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
_TRACE: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Filters:
    """What narrows the log; all that is given holds together, and what is empty narrows nothing."""

    principal: str = ""
    agent: str = ""
    server: str = ""
    tool: str = ""
    type: str = ""
    event: str = ""
    decision: str = ""
    reason: str = ""
    intention: str = ""
    since: datetime | None = None
    until: datetime | None = None
    call_id: UUID | None = None
    trace_id: str = ""

    def canonical(self) -> dict[str, str]:
        """The given ones as text, always the same for the same filters; `read_filters` makes them of it again."""
        return {name: _written(value) for name, value in asdict(self).items() if value}

    def __bool__(self) -> bool:
        return bool(self.canonical())


def read_filters(given: Mapping[str, object]) -> Filters:
    """The filters that `given` names, as text. Raises `Invalid` with a sentence for each that does not fit.

    One that nobody knows is refused, for ignoring it would answer too much.
    """
    values: dict[str, Any] = {}
    wrong = dict.fromkeys(sorted(given.keys() - _READERS.keys()), "There is no such filter.")
    for name in given.keys() & _READERS.keys():
        try:
            values[name] = _value(name, given[name])
        except Invalid as error:
            wrong[name] = error.message
    since, until = values.get("since"), values.get("until")
    if since and until and since >= until:
        wrong["until"] = "Must be later than the beginning."
    if wrong:
        raise Invalid("A filter does not fit.", details=wrong)
    return Filters(**values)


def _value(name: str, text: object) -> object:
    if not isinstance(text, str):
        raise Invalid("Must be text.")
    # A tool's own name may begin or end in a space; around anything else one is a slip.
    text = text if name == "tool" else text.strip()
    if len(text) > LONGEST:
        raise Invalid(f"Must be at most {LONGEST} characters.")
    if "\0" in text or (not text.isascii() and text != text.encode(errors="replace").decode()):
        raise Invalid("Must not hold the NUL character or half of another.")
    return _READERS[name](text) if text else Filters.__dataclass_fields__[name].default


def _one_of(known: frozenset[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in known:
            raise Invalid("There is no such value.")
        return text

    return read


def _words(text: str) -> str:
    """Words as a search engine takes them; without one, nothing could be found."""
    if not any(char.isalnum() for char in text):
        raise Invalid("Must hold a word.")
    return text


def _moment(text: str) -> datetime:
    """A day or a moment as ISO 8601 has it; UTC where it names no offset."""
    try:
        moment = datetime.fromisoformat(text if _MOMENT.fullmatch(text) else "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Invalid("Must be a time such as 2026-11-28 or 2026-11-28T09:30Z.") from error


def _call(text: str) -> UUID:
    if not _UUID.fullmatch(text):
        raise Invalid("Must be the id of a call.")
    return UUID(text)


def _trace(text: str) -> str:
    if not _TRACE.fullmatch(text.lower()):
        raise Invalid("Must be the id of a trace: 32 hexadecimal digits.")
    return text.lower()


def _written(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return str(value)


_READERS: Final[dict[str, Callable[[str], object]]] = {
    "principal": str,
    "agent": str,
    "server": str,
    "tool": str,
    "type": _one_of(frozenset(item.value for item in RecordType)),
    "event": _one_of(frozenset(item.value for item in Event)),
    "decision": _one_of(frozenset(DECISIONS)),
    "reason": str,
    "intention": _words,
    "since": _moment,
    "until": _moment,
    "call_id": _call,
    "trace_id": _trace,
}
FILTERS: Final = tuple(_READERS)
