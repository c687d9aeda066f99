"""Exports that can be verified without us: one line of JSON for each place in the log, a header before them. Pure.

A line ends in the record's body, verbatim: whoever verifies hashes the bytes after `"body":` up to the line's last
brace and never writes JSON again. A body that was pruned is null; its leaf hash stays. A range is whole and proves
itself by the tree; of a selection every line brings its own proof.
"""

import json
import re
from binascii import unhexlify
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, BinaryIO, Final, Self

from audit.proof.findings import Entry
from audit.proof.merkle import HASH_BYTES

FORMAT: Final = "holdfast-audit/1"
RANGE: Final = "range"
SELECTION: Final = "selection"
FIRST_LINE: Final = 2  # of records: the header is before them
_HEADER_MAX: Final = 4_000_000  # bytes; holds a signed note
_LINE_MAX: Final = 65_536
_BODY: Final = b'"body":'
_INT, _BIG = 2**31, 2**63
# A record as nearly all of them are written, up to its body's first brace. Numbers are shorter than what PostgreSQL
# could hold; what stands for a hash need not be hexadecimal yet, because whoever decodes it finds that out.
_LINE: Final = re.compile(
    rb'\{"index":([0-9]{1,18}),"shard":([0-9]{1,9}),"id":"([0-9a-f-]{36})",'
    rb'(?:"writer":"([0-9a-f-]{36})","seq":([1-9][0-9]{0,17}),"chain":"(.{64})",)?'
    rb'"mac":"(.{72})","leaf":"(.{64})","body":\{',
    re.DOTALL,
).match


class BundleError(ValueError):
    """What was read is no export of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What an export is of: the places from `first` up to `end`, which is not in it.

    `frontier`: the complete subtrees before `first`, from left to right. `checkpoint`: a signed note, at least of `end`
    records; `consistency`: RFC 6962's proof that it goes on from there.
    """

    installation: str
    first: int
    end: int
    origin: str = ""
    kind: str = RANGE
    frontier: tuple[bytes, ...] = ()
    vkey: str = ""
    checkpoint: str = ""
    consistency: tuple[bytes, ...] = ()

    def line(self) -> bytes:
        """The export's first line."""
        said = {
            "format": FORMAT,
            "kind": self.kind,
            "origin": self.origin,
            "installation": self.installation,
            "first": self.first,
            "end": self.end,
            "frontier": [part.hex() for part in self.frontier],
            "vkey": self.vkey,
            "checkpoint": self.checkpoint,
            "consistency": [part.hex() for part in self.consistency],
        }
        return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> Self:
        """Raises `BundleError`."""
        said = _object(line)
        if said.get("format") != FORMAT or said.get("kind") not in (RANGE, SELECTION):
            raise BundleError(f"the first line is no header of {FORMAT}")
        texts = {name: said.get(name) for name in ("kind", "origin", "installation", "vkey", "checkpoint")}
        numbers = {name: said.get(name) for name in ("first", "end")}
        if not all(isinstance(text, str) for text in texts.values()) or not all(map(_is_count, numbers.values())):
            raise BundleError("the header says something that no header says")
        hashes = {name: _hashes(said.get(name)) for name in ("frontier", "consistency")}
        return cls(**texts, **numbers, **hashes)  # type: ignore[arg-type]  # checked above, one by one


def line(entry: Entry, proof: Iterable[bytes] = ()) -> bytes:
    """The line of one record; `proof`, for a selection, from the leaf to the root of the header's checkpoint."""
    index, shard, record, writer, seq, chain, mac, leaf, body = entry
    parts = [b'{"index":%d,"shard":%d,"id":"%b",' % (index, shard, record)]
    if writer is not None and seq is not None:
        parts.append(b'"writer":"%b","seq":%d,' % (writer, seq))
    for name, value in ((b"chain", chain), (b"mac", mac), (b"leaf", leaf)):
        if value is not None:
            parts.append(b'"%b":"%b",' % (name, value.hex().encode()))
    if hashes := list(proof):
        parts.append(b'"proof":%b,' % json.dumps([part.hex() for part in hashes], separators=(",", ":")).encode())
    return b"".join([*parts, _BODY, b"null" if body is None else body, b"}\n"])


def read(stream: BinaryIO) -> tuple[Header, Iterator[bytes]]:
    """The header, and the lines after it. Raises `BundleError`."""
    first = stream.readline(_HEADER_MAX)
    if not first.endswith(b"\n"):
        raise BundleError("there is no header")
    return Header.parse(first), iter(partial(stream.readline, _LINE_MAX), b"")


def entry(text: bytes, number: int) -> Entry:
    """The record of a line. Raises `BundleError`, which names the line."""
    try:
        return _usual(text) or _unusual(text)[0]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BundleError(f"line {number} is no record: {error}") from error


def entries(lines: Iterable[bytes]) -> Iterator[Entry]:
    """The records of these lines. Raises `BundleError`, which names the line."""
    return (entry(text, number) for number, text in enumerate(lines, start=FIRST_LINE))


def proved_entries(lines: Iterable[bytes]) -> Iterator[tuple[Entry, tuple[bytes, ...]]]:
    """The records of a selection with their proofs. Raises `BundleError`, which names the line."""
    for number, text in enumerate(lines, start=FIRST_LINE):
        try:
            yield _unusual(text)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BundleError(f"line {number} is no record: {error}") from error


def _usual(text: bytes) -> Entry | None:
    """A line as `line` writes most of them; None for any other. A JSON parser would take four times as long."""
    found = _LINE(text)
    if found is None or not text.endswith(b"}\n"):
        return None
    index, shard, record, writer, seq, chain, mac, leaf = found.groups()
    body = text[found.end() - 1 : -2]
    mac, leaf = unhexlify(mac), unhexlify(leaf)
    if writer is None:
        return int(index), int(shard), _id(record), None, None, None, mac, leaf, body
    return int(index), int(shard), record, _writer(writer), int(seq), unhexlify(chain), mac, leaf, body


def _unusual(text: bytes) -> tuple[Entry, tuple[bytes, ...]]:
    head, found, rest = text.partition(_BODY)
    if not found or not rest.endswith(b"}\n"):
        raise BundleError("it has no whole body")
    said = _object(head + _BODY + b"null}")
    writer, seq = (_id(said["writer"].encode()), _number(said["seq"])) if "writer" in said else (None, None)
    chain, mac, leaf = (unhexlify(said[name]) if name in said else None for name in ("chain", "mac", "leaf"))
    body = None if rest == b"null}\n" else rest[:-2]
    if body is None and leaf is None:
        raise BundleError("it has neither a body nor a leaf hash")
    place = _number(said["index"]), _number(said["shard"]), _id(said["id"].encode())
    return _bounded((*place, writer, seq, chain, mac, leaf, body)), _hashes(said.get("proof", []))


def _bounded(entry: Entry) -> Entry:
    """The entry, whose numbers PostgreSQL could hold: what is made of them is packed into so many bytes."""
    index, shard, _, _, seq, *_ = entry
    if not (0 <= index < _BIG and 0 <= shard < _INT and (seq is None or 0 < seq < _BIG)):
        raise BundleError("a number is out of range")
    return entry


def _id(text: bytes) -> bytes:
    """The text of a UUID, in its usual form."""
    if len(text) != 36 or len(unhexlify(text.replace(b"-", b""))) != 16:
        raise BundleError("an id is none")
    return text


_writer: Final = lru_cache(maxsize=1024)(_id)  # one for very many records


def _object(text: bytes) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BundleError("it is no JSON") from error
    if not isinstance(said, dict):
        raise BundleError("it is no JSON object")
    return said


def _hashes(value: Any) -> tuple[bytes, ...]:
    if not isinstance(value, list):
        raise BundleError("hashes come in a list")
    try:
        found = tuple(unhexlify(part) for part in value)
    except (ValueError, TypeError) as error:
        raise BundleError("a hash is no hexadecimal number") from error
    if any(len(part) != HASH_BYTES for part in found):
        raise BundleError("a hash has not its length")
    return found


def _number(value: Any) -> int:
    if not _is_count(value):
        raise BundleError("a number is none")
    return int(value)


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**63
