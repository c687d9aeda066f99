"""A gateway's record as PostgreSQL takes it: what `audit.drafts.columns` says, in a sixth of its time. Pure module.

Every call has two records, so making one is most of what recording costs. What records usually hold, short sound texts
that repeat from call to call, is encoded once and remembered; whatever is unusual goes through `columns`, whose bytes
are the measure: a property test holds the two together.
"""

import struct
from binascii import hexlify
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import lru_cache, partial
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from audit.chaining import Chain
from audit.drafts import (
    BODY_MAX,
    BODY_VERSION,
    LIMITS,
    LONG_TEXTS,
    Position,
    RecordDraft,
    Repeat,
    columns,
    written_out,
)
from audit.proof.chain import MAC_BYTES
from audit.wire import (
    EPOCH,
    INT,
    NULL,
    ORDER,
    OTHERS,
    RARE,
    SIXTEEN,
    SIZED_BIG,
    TEXTS,
    TYPES,
    UNIQUE,
    VARYING,
    WORDS,
    Row,
    Values,
    array_literal,
    encoded,
    sized,
)
from core.canonical import canonical_bytes

Encoded = tuple[bytes, bytes]  # a member of the body with its comma, empty where nothing is said; and the value

_SIZED_INT: Final = struct.Struct(">ii").pack
_uuid_parts: Final = struct.Struct("8s4s4s4s12s").unpack
_two_uuids: Final = struct.Struct("8s4s4s4s12s" * 2).unpack
_LINK: Final = INT(32)
_MAC: Final = INT(MAC_BYTES)
_ABSENT: Final[Encoded] = (b"", NULL)
_NO_TEXT: Final[Encoded] = (b"", sized(b""))
_NAME_LIMIT, _LONG_LIMIT, _ITEMS, _ = LIMITS[0]
_INT4_END: Final = 2**31
_EXACT_END: Final = 2**53  # beyond it RFC 8785 needs a tag
_REMEMBERED: Final = 128  # bytes of a text that is worth remembering
_REMEMBERED_FORM: Final = 2048  # bytes of all words of a record that are
_MEMORY: Final = 512  # forms, and texts of one column: about 6 MB in all if each of them were new and long
_words_of: Final = attrgetter(*WORDS)
_others_of: Final = attrgetter(*OTHERS)
_rare_of: Final = attrgetter(*RARE)
_NOTHING: Final = tuple("" if name in UNIQUE else None for name in RARE)  # what `RARE` are where nothing is said
_PLACED, _UNPLACED = ORDER[:2], ORDER[4:]  # between them the link and the MAC
_OTHERS_BEFORE_SEQ: Final = sum(name < "seq" for name in OTHERS)


@dataclass(frozen=True, slots=True)
class _Form:
    """What records with the same words share.

    The body around `seq`, with gaps for `VARYING` or for all `OTHERS`; and the values of the words, in the first case
    of `RARE` too, which say nothing there.
    """

    before_seq: bytes
    after_seq: bytes
    values: Values


class _CallForm(Struct, eq=False):
    """The form of a pattern's records, and what of it is left to fill where they say what those of a call usually do.

    `asked` for an intent: its members are `args_commit`, both ids, `intention`, time and `trace_id`. `told` for an
    outcome: `bytes`, both ids, `intention`, `latency_ms`, `result_commit`, time and `trace_id`. Each is in two parts,
    before and after `seq`.
    """

    form: _Form
    asked: tuple[bytes, bytes]
    told: tuple[bytes, bytes]


class Prepared(Struct, eq=False):
    """A record whose dear part is done; only its place is missing. `own` is None where `columns` must do it all."""

    record: RecordDraft | Repeat
    before_seq: bytes = b""
    after_seq: bytes = b""
    shared: Values = ()
    own: Values | None = None


class Rows:
    """Makes the rows of one installation. Not for several threads."""

    def __init__(self, installation: str) -> None:
        self._installation = installation
        self._member = b'"installation":' + canonical_bytes(installation) + b","
        self._memories = {name: _memory(name) for name in WORDS}
        self._forms: dict[tuple[Any, ...], _Form] = {}
        self._plain_forms: dict[tuple[Any, ...], _Form] = {}
        self._writer: UUID | None = None
        self._end = b""

    def prepare(self, record: RecordDraft | Repeat) -> Prepared:
        """Do what can be done before the record has its place."""
        try:
            if isinstance(record, Repeat):
                pattern = record.pattern
                made: _CallForm | None = pattern.form
                if made is None:
                    made = pattern.form = self._call_form(pattern.draft)
                if made is not None:
                    return _repeated(record, made)
                record = record.draft()
            form = self._plain_form(record)
            return self._usual(record) if form is None else _filled(record, form)
        except (ValueError, TypeError):  # unusual, or of a type that only `columns` can judge
            return Prepared(record)

    def _plain_form(self, draft: RecordDraft) -> _Form | None:
        """The form of what most records of calls are, which say nothing but words and `VARYING`; None for others."""
        if _rare_of(draft) != _NOTHING:
            return None
        words = _words_of(draft)
        return self._plain_forms.get(words) or self._form(words, self._plain_forms, VARYING)

    def _call_form(self, draft: RecordDraft) -> _CallForm | None:
        form = self._plain_form(draft)
        return None if form is None else _CallForm(form, _narrowed(form, _ASKED), _narrowed(form, _TOLD))

    def _usual(self, draft: RecordDraft) -> Prepared:
        words = _words_of(draft)
        form = self._forms.get(words) or self._form(words, self._forms, OTHERS)
        others = dict(zip(OTHERS, _encoded(_ENCODERS, _others_of(draft)), strict=True))
        members = tuple(member for member, _ in others.values())
        values = tuple(others[name][1] for name in (*RARE, *VARYING))
        before = form.before_seq % members[:_OTHERS_BEFORE_SEQ]
        return Prepared(draft, before, form.after_seq % members[_OTHERS_BEFORE_SEQ:], form.values, values)

    def _form(self, words: tuple[Any, ...], forms: dict[tuple[Any, ...], _Form], gaps: tuple[str, ...]) -> _Form:
        """A form for these words, with gaps for these fields; all others say nothing. It is remembered in `forms`."""
        known = {name: self._memories[name][value] for name, value in zip(WORDS, words, strict=True)}
        silent = tuple(value for _, value in _SILENT) if gaps is VARYING else ()
        parts = {name: member.replace(b"%", b"%%") for name, (member, _) in known.items()}
        parts |= dict.fromkeys(gaps, b"%b") | {"installation": self._member.replace(b"%", b"%%")}
        before = b"".join(parts[name] for name in sorted(parts) if name < "seq")
        after = b"".join(parts[name] for name in sorted(parts) if name > "seq")
        form = _Form(before, after, tuple(value for _, value in known.values()) + silent)
        if sum(map(len, form.values)) <= _REMEMBERED_FORM:
            if len(forms) >= _MEMORY:
                forms.clear()
            forms[words] = form
        return form

    def place(self, prepared: Prepared, chain: Chain) -> Row:
        """The row with the next number of the chain, which it extends.

        Raises `struct.error` or `ValueError` for what no column holds: then the chain is as it was.
        """
        writer, seq = chain.writer, chain.seq + 1
        if writer is not self._writer:
            self._writer, self._end = writer, b'"v":%d,"writer":"%b"}' % (BODY_VERSION, str(writer).encode())
        if prepared.own is not None:
            body = b'{%b"seq":%d,%b%b' % (prepared.before_seq, seq, prepared.after_seq, self._end)
            if len(body) <= BODY_MAX:
                link, mac = chain.add(body)
                first = SIZED_BIG(8, seq), INT(len(body)) + body, _LINK + link, _MAC + mac
                return first, prepared.shared, prepared.own
        draft = written_out(prepared.record)
        row = columns(draft, installation=self._installation, shard=0, position=Position(writer, seq))
        seq_and_body, others = (tuple(encoded(name, row[name]) for name in names) for names in (_PLACED, _UNPLACED))
        return seq_and_body + tuple(map(sized, chain.add(row["body"]))), others, ()


def _repeated(record: Repeat, made: _CallForm) -> Prepared:
    """What `_filled` makes of it. Nearly all say what intents or outcomes of calls do, and those are filled at once."""
    told, latency, size = record.result_commit, record.latency_ms, record.bytes
    if record.call_id is not None:
        if told is None and latency is None and size is None:
            if type(record.args_commit) is bytes:
                return _asked(record, record.call_id, record.args_commit, made)
        elif record.args_commit is None and type(told) is bytes and type(latency) is int and type(size) is int:
            return _told(record, record.call_id, told, latency, size, made)
    return _filled(record, made.form)


def _asked(record: Repeat, call_id: UUID, commit: bytes, made: _CallForm) -> Prepared:
    call, id_ = call_id.int.to_bytes(16, "big"), record.id.int.to_bytes(16, "big")
    (second, microsecond, time), (before, after) = _moment(record.time), made.asked
    why = _NO_TEXT if record.intention == "" else _encode_intention(record.intention)
    trace = _NO_TEXT if record.trace_id == "" else _encode_trace_id(record.trace_id)
    return Prepared(
        record,
        before % (hexlify(commit), *_two_uuids(hexlify(call + id_)), why[0]),
        after % (second, microsecond, trace[0]),
        made.form.values,
        (INT(len(commit)) + commit, NULL, SIXTEEN + call, SIXTEEN + id_, why[1], NULL, NULL, time, trace[1]),
    )


def _told(record: Repeat, call_id: UUID, commit: bytes, latency: int, size: int, made: _CallForm) -> Prepared:
    if not (0 <= latency < _INT4_END and 0 <= size < _EXACT_END):
        raise ValueError("unusual")
    call, id_ = call_id.int.to_bytes(16, "big"), record.id.int.to_bytes(16, "big")
    (second, microsecond, time), (before, after) = _moment(record.time), made.told
    why = _NO_TEXT if record.intention == "" else _encode_intention(record.intention)
    trace = _NO_TEXT if record.trace_id == "" else _encode_trace_id(record.trace_id)
    known = SIZED_BIG(8, size), SIXTEEN + call, SIXTEEN + id_, why[1], _SIZED_INT(4, latency)
    return Prepared(
        record,
        before % (size, *_two_uuids(hexlify(call + id_)), why[0], latency, hexlify(commit)),
        after % (second, microsecond, trace[0]),
        made.form.values,
        (NULL, *known, INT(len(commit)) + commit, time, trace[1]),
    )


def _narrowed(form: _Form, members: Mapping[str, bytes]) -> tuple[bytes, bytes]:
    """The two parts of a form with these members' labels in it, gaps for their values alone, and none for others."""
    left = [members.get(name, b"") for name in VARYING]
    cut = sum(name < "seq" for name in VARYING)
    # What is filled in first is filled in once more.
    before, after = (part.replace(b"%%", b"%%%%") for part in (form.before_seq, form.after_seq))
    return before % tuple(left[:cut]), after % tuple(left[cut:])


def _filled(record: RecordDraft | Repeat, form: _Form) -> Prepared:
    asked = _ABSENT if record.args_commit is None else _encode_args(record.args_commit)
    size = _ABSENT if record.bytes is None else _encode_bytes(record.bytes)
    call = _ABSENT if record.call_id is None else _encode_call_id(record.call_id)
    id_, time, trace = _encode_id(record.id), _encode_time(record.time), _encode_trace_id(record.trace_id)
    why = _encode_intention(record.intention)
    latency = _ABSENT if record.latency_ms is None else _encode_latency(record.latency_ms)
    told = _ABSENT if record.result_commit is None else _encode_result(record.result_commit)
    before = form.before_seq % (asked[0], size[0], call[0], id_[0], why[0], latency[0], told[0])
    own = (asked[1], size[1], call[1], id_[1], why[1], latency[1], told[1], time[1], trace[1])
    return Prepared(record, before, form.after_seq % (time[0], trace[0]), form.values, own)


def _memory(name: str) -> "_Memory":
    label = f'"{name}":'.encode()
    if TYPES.get(name) is TEXTS:
        return _ListMemory(label, _NAME_LIMIT)
    return _Memory(label, _LONG_LIMIT if name in LONG_TEXTS else _NAME_LIMIT)


# What encodes a usual value of a field as `columns` does, into the form of its member and PostgreSQL's. Each raises
# ValueError or TypeError for any other value.


def _usual_uuid(form: bytes, value: UUID) -> Encoded:
    data = value.int.to_bytes(16, "big")  # `str(value)` is four times as dear, and each record has two or more
    return form % _uuid_parts(hexlify(data)), b"\0\0\0\x10" + data


def _usual_time(form: bytes, value: datetime) -> Encoded:
    second, microsecond, data = _moment(value)
    return form % (second, microsecond), data


def _moment(value: datetime) -> tuple[bytes, int, bytes]:
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
    if type(value) is not int or not 0 <= value < _INT4_END:
        raise ValueError("unusual")
    return form % value, _SIZED_INT(4, value)


def _usual_int8(form: bytes, value: int) -> Encoded:
    if type(value) is not int or not 0 <= value < _EXACT_END:
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


def _encoder(name: str) -> Callable[[Any], Encoded]:
    if name in UNIQUE:
        return _memory(name).forget
    form, encode = _USUAL[TYPES[name].name]
    return partial(encode, f'"{name}":'.encode() + form)


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

    def forget(self, value: Any) -> Encoded:
        """The encoded form of a text that will not come again."""
        return _NO_TEXT if value == "" else self.encode(value)[0]

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


class _ListMemory(_Memory):
    """The same for tuples of texts."""

    def encode(self, value: Any) -> tuple[Encoded, int]:
        """The encoded form, and how long the texts are in bytes."""
        if type(value) is not tuple or len(value) > _ITEMS:
            raise ValueError("unusual")
        size = sum(len(self.sound(item)) for item in value)
        member = b"%b%b," % (self.label, canonical_bytes(list(value))) if value else b""
        return (member, sized(array_literal(value))), size


def _encoded(encoders: "list[Callable[[Any], Encoded]]", values: tuple[Any, ...]) -> list[Encoded]:
    return [_ABSENT if value is None else encode(value) for encode, value in zip(encoders, values, strict=True)]


_ENCODERS: Final = [_encoder(name) for name in OTHERS]
(
    _encode_args, _encode_bytes, _encode_call_id, _encode_id, _encode_intention, _encode_latency, _encode_result,
    _encode_time, _encode_trace_id,
) = map(_encoder, VARYING)  # fmt: skip
_GAPS: Final = {
    name: b"%b" if name in UNIQUE else f'"{name}":'.encode() + _USUAL[TYPES[name].name][0] for name in VARYING
}
_ASKED: Final = {name: _GAPS[name] for name in VARYING if name not in ("bytes", "latency_ms", "result_commit")}
_TOLD: Final = {name: _GAPS[name] for name in VARYING if name != "args_commit"}
_SILENT: Final = _encoded([_encoder(name) for name in RARE], _NOTHING)
