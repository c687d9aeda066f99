"""A gateway's record as PostgreSQL takes it: what `audit.drafts.columns` says, in a sixth of its time. Pure module.

Every call has two records, so making one is most of what recording costs. What records usually hold, short sound texts
that repeat from call to call, is encoded once and remembered; whatever is unusual goes through `columns`, whose bytes
are the measure: a property test holds the two together.
"""

import struct
from binascii import hexlify
from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from audit.chaining import Chain
from audit.drafts import (
    BODY_MAX,
    BODY_VERSION,
    Position,
    RecordDraft,
    Repeat,
    columns,
    written_out,
)
from audit.proof.chain import MAC_BYTES
from audit.usual import (
    ABSENT,
    EXACT_END,
    GAPS,
    INT4_END,
    MEMORY,
    NO_TEXT,
    SIZED_INT,
    encoded_each,
    encoder,
    memory,
    moment,
)
from audit.wire import (
    INT,
    NULL,
    ORDER,
    OTHERS,
    RARE,
    SIXTEEN,
    SIZED_BIG,
    UNIQUE,
    VARYING,
    WORDS,
    Row,
    Values,
    encoded,
    sized,
)
from core.canonical import canonical_bytes

_two_uuids: Final = struct.Struct("8s4s4s4s12s" * 2).unpack
_LINK: Final = INT(32)
_MAC: Final = INT(MAC_BYTES)
_REMEMBERED_FORM: Final = 2048  # bytes of all words of a record that are
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
        self._memories = {name: memory(name) for name in WORDS}
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
        others = dict(zip(OTHERS, encoded_each(_ENCODERS, _others_of(draft)), strict=True))
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
            if len(forms) >= MEMORY:
                forms.clear()
            forms[words] = form
        return form

    def place(self, prepared: Prepared, chain: Chain) -> Row:
        """The row with the next number of the chain, which it extends.

        Raises `struct.error` or `ValueError` for what no column holds: then the chain is as it was.
        """
        row = self.place_usual(prepared, chain)
        if row is not None:
            return row
        draft, position = written_out(prepared.record), Position(chain.writer, chain.seq + 1)
        values = columns(draft, installation=self._installation, shard=0, position=position)
        seq_and_body, others = (tuple(encoded(name, values[name]) for name in names) for names in (_PLACED, _UNPLACED))
        return seq_and_body + tuple(map(sized, chain.add(values["body"]))), others, ()

    def place_usual(self, prepared: Prepared, chain: Chain) -> Row | None:
        """The same for a usual record; None, and the chain is as it was, for one that takes `columns`."""
        if prepared.own is None:
            return None
        writer, seq = chain.writer, chain.seq + 1
        if writer is not self._writer:
            self._writer, self._end = writer, b'"v":%d,"writer":"%b"}' % (BODY_VERSION, str(writer).encode())
        body = b'{%b"seq":%d,%b%b' % (prepared.before_seq, seq, prepared.after_seq, self._end)
        if len(body) > BODY_MAX:
            return None
        link, mac = chain.add(body)
        first = SIZED_BIG(8, seq), INT(len(body)) + body, _LINK + link, _MAC + mac
        return first, prepared.shared, prepared.own


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
    (second, microsecond, time), (before, after) = moment(record.time), made.asked
    why = NO_TEXT if record.intention == "" else _encode_intention(record.intention)
    trace = NO_TEXT if record.trace_id == "" else _encode_trace_id(record.trace_id)
    return Prepared(
        record,
        before % (hexlify(commit), *_two_uuids(hexlify(call + id_)), why[0]),
        after % (second, microsecond, trace[0]),
        made.form.values,
        (INT(len(commit)) + commit, NULL, SIXTEEN + call, SIXTEEN + id_, why[1], NULL, NULL, time, trace[1]),
    )


def _told(record: Repeat, call_id: UUID, commit: bytes, latency: int, size: int, made: _CallForm) -> Prepared:
    if not (0 <= latency < INT4_END and 0 <= size < EXACT_END):
        raise ValueError("unusual")
    call, id_ = call_id.int.to_bytes(16, "big"), record.id.int.to_bytes(16, "big")
    (second, microsecond, time), (before, after) = moment(record.time), made.told
    why = NO_TEXT if record.intention == "" else _encode_intention(record.intention)
    trace = NO_TEXT if record.trace_id == "" else _encode_trace_id(record.trace_id)
    known = SIZED_BIG(8, size), SIXTEEN + call, SIXTEEN + id_, why[1], SIZED_INT(4, latency)
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
    asked = ABSENT if record.args_commit is None else _encode_args(record.args_commit)
    size = ABSENT if record.bytes is None else _encode_bytes(record.bytes)
    call = ABSENT if record.call_id is None else _encode_call_id(record.call_id)
    id_, time, trace = _encode_id(record.id), _encode_time(record.time), _encode_trace_id(record.trace_id)
    why = _encode_intention(record.intention)
    latency = ABSENT if record.latency_ms is None else _encode_latency(record.latency_ms)
    told = ABSENT if record.result_commit is None else _encode_result(record.result_commit)
    before = form.before_seq % (asked[0], size[0], call[0], id_[0], why[0], latency[0], told[0])
    own = (asked[1], size[1], call[1], id_[1], why[1], latency[1], told[1], time[1], trace[1])
    return Prepared(record, before, form.after_seq % (time[0], trace[0]), form.values, own)


_ENCODERS: Final = [encoder(name) for name in OTHERS]
(
    _encode_args, _encode_bytes, _encode_call_id, _encode_id, _encode_intention, _encode_latency, _encode_result,
    _encode_time, _encode_trace_id,
) = map(encoder, VARYING)  # fmt: skip
_ASKED: Final = {name: GAPS[name] for name in VARYING if name not in ("bytes", "latency_ms", "result_commit")}
_TOLD: Final = {name: GAPS[name] for name in VARYING if name != "args_commit"}
_SILENT: Final = encoded_each([encoder(name) for name in RARE], _NOTHING)
