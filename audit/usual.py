"""How usual values of a record's fields stand in body and row: as `audit.drafts.columns` has them. Pure module.

Short sound texts that repeat from call to call are encoded once and remembered. What is unusual is none of this
module's: it raises `ValueError` or `TypeError`, and `columns` does it all.
"""

import struct
from binascii import hexlify
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum
from functools import lru_cache, partial
from typing import Any, Final
from uuid import UUID

from audit.drafts import LIMITS, LONG_TEXTS
from audit.wire import EPOCH, INT, NULL, SIZED_BIG, TEXTS, TYPES, UNIQUE, VARYING, array_literal, sized
from core.canonical import canonical_bytes

Encoded = tuple[bytes, bytes]  # a member of the body with its comma, empty where nothing is said; and the value

SIZED_INT: Final = struct.Struct(">ii").pack
_uuid_parts: Final = struct.Struct("8s4s4s4s12s").unpack
ABSENT: Final[Encoded] = (b"", NULL)
NO_TEXT: Final[Encoded] = (b"", sized(b""))
_NAME_LIMIT, _LONG_LIMIT, _ITEMS, _ = LIMITS[0]
INT4_END: Final = 2**31
EXACT_END: Final = 2**53  # beyond it RFC 8785 needs a tag
_REMEMBERED: Final = 128  # bytes of a text that is worth remembering
MEMORY: Final = 512  # forms, and texts of one column: about 6 MB in all if each of them were new and long


def memory(name: str) -> "Memory":
    """For the texts of a field."""
    label = f'"{name}":'.encode()
    if TYPES.get(name) is TEXTS:
        return ListMemory(label, _NAME_LIMIT)
    return Memory(label, _LONG_LIMIT if name in LONG_TEXTS else _NAME_LIMIT)


# What encodes a usual value of a field as `columns` does, into the form of its member and PostgreSQL's. Each raises
# ValueError or TypeError for any other value.


def _usual_uuid(form: bytes, value: UUID) -> Encoded:
    data = value.int.to_bytes(16, "big")  # `str(value)` is four times as dear, and each record has two or more
    return form % _uuid_parts(hexlify(data)), b"\0\0\0\x10" + data


def _usual_time(form: bytes, value: datetime) -> Encoded:
    second, microsecond, data = moment(value)
    return form % (second, microsecond), data


def moment(value: datetime) -> tuple[bytes, int, bytes]:
    """The second as text, its microsecond, and PostgreSQL's form of both."""
    since = value - EPOCH
    second, microsecond = since.days * 86_400 + since.seconds, since.microseconds
    return _shown_second(second), microsecond, SIZED_BIG(8, second * 1_000_000 + microsecond)


@lru_cache(maxsize=16)
def _shown_second(second: int) -> bytes:
    shown = EPOCH + timedelta(seconds=second)
    if shown.year < 1000:  # `columns` pads no year
        raise ValueError("unusual")
    return shown.isoformat()[:19].encode()


def _usual_bytes(form: bytes, value: bytes) -> Encoded:
    if type(value) is not bytes:
        raise ValueError("unusual")
    return form % hexlify(value), sized(value)


def _usual_int4(form: bytes, value: int) -> Encoded:
    if type(value) is not int or not 0 <= value < INT4_END:
        raise ValueError("unusual")
    return form % value, SIZED_INT(4, value)


def _usual_int8(form: bytes, value: int) -> Encoded:
    if type(value) is not int or not 0 <= value < EXACT_END:
        raise ValueError("unusual")
    return form % value, SIZED_BIG(8, value)


def _no_usual(form: bytes, value: Any) -> Encoded:
    raise ValueError("unusual")


_USUAL: Final[dict[str, tuple[bytes, Callable[[bytes, Any], Encoded]]]] = {
    "uuid": (b'"%b-%b-%b-%b-%b",', _usual_uuid),
    "timestamptz": (b'"%b.%06dZ",', _usual_time),
    "bytea": (b'"%b",', _usual_bytes),
    "int4": (b"%d,", _usual_int4),
    "int8": (b"%d,", _usual_int8),
    "jsonb": (b"", _no_usual),
}


def encoder(name: str) -> Callable[[Any], Encoded]:
    """What encodes a value of a field that is no word; nothing of it is remembered."""
    if name in UNIQUE:
        return memory(name).forget
    form, encode = _USUAL[TYPES[name].name]
    return partial(encode, f'"{name}":'.encode() + form)


class Memory(dict[Any, Encoded]):
    """Texts of one field and their encoded forms. Bounded: an agent chooses some of them."""

    def __init__(self, label: bytes, limit: int) -> None:
        super().__init__()
        self.label = label
        self.limit = limit

    def __missing__(self, value: Any) -> Encoded:
        encoded, size = self.encode(value)
        if size <= _REMEMBERED:
            if len(self) >= MEMORY:
                self.clear()
            self[value] = encoded
        return encoded

    def forget(self, value: Any) -> Encoded:
        """The encoded form of a text that will not come again."""
        return NO_TEXT if value == "" else self.encode(value)[0]

    def encode(self, value: Any) -> tuple[Encoded, int]:
        """The encoded form, and how long the text is in bytes."""
        data = self.sound(value.value if isinstance(value, Enum) else value)
        if data.isalnum():  # ASCII, and nothing to escape
            return (b'%b"%b",' % (self.label, data), INT(len(data)) + data), len(data)
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


class ListMemory(Memory):
    """The same for tuples of texts."""

    def encode(self, value: Any) -> tuple[Encoded, int]:
        """The encoded form, and how long the texts are in bytes."""
        if type(value) is not tuple or len(value) > _ITEMS:
            raise ValueError("unusual")
        size = sum(len(self.sound(item)) for item in value)
        member = b"%b%b," % (self.label, canonical_bytes(list(value))) if value else b""
        return (member, sized(array_literal(value))), size


def encoded_each(encoders: "list[Callable[[Any], Encoded]]", values: tuple[Any, ...]) -> list[Encoded]:
    """Each value by its encoder; None says nothing."""
    return [ABSENT if value is None else encode(value) for encode, value in zip(encoders, values, strict=True)]


# What is left of each member of `VARYING` where only its value is missing.
GAPS: Final = {
    name: b"%b" if name in UNIQUE else f'"{name}":'.encode() + _USUAL[TYPES[name].name][0] for name in VARYING
}
