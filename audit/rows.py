"""A gateway's record as PostgreSQL takes it: what `audit.drafts.columns` says, made ten times sooner. Pure module.

Every call has two records, so making one is most of what recording costs. What records usually hold, short sound texts
that repeat from call to call, is encoded once and remembered; whatever is unusual goes through `columns`, whose bytes
are the measure: a property test holds the two together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import lru_cache, partial
from itertools import count
from operator import attrgetter, itemgetter
from struct import Struct
from typing import Any, Final
from uuid import UUID

from audit.drafts import BODY_MAX, BODY_VERSION, FIELDS, LIMITS, LONG_TEXTS, Position, RecordDraft, columns
from audit.wire import EPOCH, NULL, ORDER, OTHERS, TEXTS, TYPES, WORDS, Row, array_literal, encoded, microseconds, sized
from core.canonical import canonical_bytes

Encoded = tuple[bytes, bytes]  # a member of the body with its comma, empty where nothing is said; and the value

_SIZED_INT: Final = Struct(">ii").pack
_SIZED_BIG: Final = Struct(">iq").pack
_ABSENT: Final[Encoded] = (b"", NULL)
_NAME_LIMIT, _LONG_LIMIT, _ITEMS, _ = LIMITS[0]
_REMEMBERED: Final = 128  # bytes of a text that is worth remembering
_MEMORY: Final = 512  # texts of one column that are remembered: about 6 MB for all columns if each were new and long
_words_of: Final = attrgetter(*WORDS)
_others_of: Final = attrgetter(*OTHERS)
# RFC 8785 sorts the body's members by name; "installation" and "seq" are no field's.
_sorted: Final = itemgetter(*(index for _, index in sorted(zip((*WORDS, *OTHERS), count(), strict=False))))
_BEFORE_INSTALLATION: Final = sum(name < "installation" for name in FIELDS)
_BEFORE_SEQ: Final = sum(name < "seq" for name in FIELDS)


@dataclass(slots=True)
class Prepared:
    """A draft whose dear part is done; only its place is missing. `values` is None where `columns` must do it all."""

    draft: RecordDraft
    before_seq: bytes = b""
    after_seq: bytes = b""
    values: Row | None = None


class Rows:
    """Makes the rows of one installation. Not for several threads."""

    def __init__(self, installation: str) -> None:
        self._installation = installation
        self._member = b'"installation":' + canonical_bytes(installation) + b","
        self._memories = [_memory(name) for name in WORDS]
        self._writer: UUID | None = None
        self._end = b""

    def prepare(self, draft: RecordDraft) -> Prepared:
        """Do what can be done before the record has its place."""
        try:
            words = [memory[value] for memory, value in zip(self._memories, _words_of(draft), strict=True)]
            others = [
                _ABSENT if value is None else encode(value)
                for encode, value in zip(_ENCODERS, _others_of(draft), strict=True)
            ]
        except (ValueError, TypeError):  # unusual, or of a type that only `columns` can judge
            return Prepared(draft)
        unsorted, values = zip(*words, *others, strict=True)
        members = _sorted(unsorted)
        early, late = members[:_BEFORE_INSTALLATION], members[_BEFORE_INSTALLATION:_BEFORE_SEQ]
        return Prepared(draft, b"".join((*early, self._member, *late)), b"".join(members[_BEFORE_SEQ:]), values)

    def place(self, prepared: Prepared, writer: UUID, seq: int) -> Row:
        """The row at its place; what a record is chained or signed with belongs here.

        Raises `struct.error` or `ValueError` for what no column holds.
        """
        if writer is not self._writer:
            self._writer, self._end = writer, b'"v":%d,"writer":"%b"}' % (BODY_VERSION, str(writer).encode())
        if prepared.values is not None:
            body = b'{%b"seq":%d,%b%b' % (prepared.before_seq, seq, prepared.after_seq, self._end)
            if len(body) <= BODY_MAX:
                return (_SIZED_BIG(8, seq), sized(body), *prepared.values)
        row = columns(prepared.draft, installation=self._installation, shard=0, position=Position(writer, seq))
        return tuple(encoded(name, row[name]) for name in ORDER)


def _memory(name: str) -> "_Memory":
    label = f'"{name}":'.encode()
    if TYPES.get(name) is TEXTS:
        return _ListMemory(label, _NAME_LIMIT)
    return _Memory(label, _LONG_LIMIT if name in LONG_TEXTS else _NAME_LIMIT)


# What encodes a usual value of a field as `columns` does. Each raises ValueError or TypeError for any other.


def _usual_uuid(label: bytes, value: UUID) -> Encoded:
    data = value.int.to_bytes(16, "big")
    text = data.hex()  # `str(value)` is five times as dear, and each record has two or more
    shown = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
    return b'%b"%b",' % (label, shown.encode()), b"\0\0\0\x10" + data


def _usual_time(label: bytes, value: datetime) -> Encoded:
    moment = value if value.tzinfo is UTC else value.astimezone(UTC)
    if moment.year < 1000:  # `columns` pads no year
        raise ValueError("unusual")
    count = microseconds(moment)
    return b'%b"%b.%06dZ",' % (label, _shown_second(count // 1_000_000), moment.microsecond), _SIZED_BIG(8, count)


@lru_cache(maxsize=16)
def _shown_second(second: int) -> bytes:
    return (EPOCH + timedelta(seconds=second)).isoformat()[:19].encode()


def _usual_bytes(label: bytes, value: bytes) -> Encoded:
    if type(value) is not bytes:
        raise ValueError("unusual")
    return b'%b"%b",' % (label, value.hex().encode()), sized(value)


def _usual_int4(label: bytes, value: int) -> Encoded:
    if type(value) is not int or not 0 <= value < 2**31:
        raise ValueError("unusual")
    return b"%b%d," % (label, value), _SIZED_INT(4, value)


def _usual_int8(label: bytes, value: int) -> Encoded:
    if type(value) is not int or not 0 <= value < 2**53:  # beyond it RFC 8785 needs a tag
        raise ValueError("unusual")
    return b"%b%d," % (label, value), _SIZED_BIG(8, value)


def _no_usual(label: bytes, value: Any) -> Encoded:
    raise ValueError("unusual")


_USUAL: Final[dict[str, Callable[[bytes, Any], Encoded]]] = {
    "uuid": _usual_uuid,
    "timestamptz": _usual_time,
    "bytea": _usual_bytes,
    "int4": _usual_int4,
    "int8": _usual_int8,
    "jsonb": _no_usual,
}
_ENCODERS: Final = [partial(_USUAL[TYPES[name].name], f'"{name}":'.encode()) for name in OTHERS]


class _Memory(dict[Any, Encoded]):
    """Texts of one field and their encoded forms. Bounded: an agent chooses some of them."""

    def __init__(self, label: bytes, limit: int) -> None:
        super().__init__()
        self.label = label
        self.limit = limit

    def __missing__(self, value: Any) -> Encoded:
        encoded, size = self.encode(value)
        if size <= _REMEMBERED:
            if len(self) >= _MEMORY:
                self.clear()
            self[value] = encoded
        return encoded

    def encode(self, value: Any) -> tuple[Encoded, int]:
        """The encoded form, and how long the text is in bytes."""
        data = self.sound(value.value if isinstance(value, Enum) else value)
        member = b"%b%b," % (self.label, canonical_bytes(data.decode())) if data else b""
        return (member, sized(data)), len(data)

    def sound(self, value: Any) -> bytes:
        """The UTF-8 form of a text that body and column hold as it is. Raises ValueError for any other."""
        if type(value) is not str:
            raise ValueError("unusual")
        data = value.encode()
        if len(data) > self.limit or b"\0" in data:
            raise ValueError("unusual")
        return data


class _ListMemory(_Memory):
    """The same for tuples of texts."""

    def encode(self, value: Any) -> tuple[Encoded, int]:
        """The encoded form, and how long the texts are in bytes."""
        if type(value) is not tuple or len(value) > _ITEMS:
            raise ValueError("unusual")
        size = sum(len(self.sound(item)) for item in value)
        member = b"%b%b," % (self.label, canonical_bytes(list(value))) if value else b""
        return (member, sized(array_literal(value))), size
