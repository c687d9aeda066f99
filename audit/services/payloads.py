"""Reading payloads of calls. The record of a reading is durable before anything is shown."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import transaction

from audit.content import decoded
from audit.events import Event, RecordType
from audit.models import Record, StoredPayload
from audit.payload import ARGUMENTS, RESULT, Part
from audit.sealing import CallKeys, Sealer
from audit.services.permitting import permit
from audit.services.recording import record
from core.actor import Actor
from core.envelope import CannotOpen
from core.errors import Invalid, NotFound
from core.names import subject
from core.permissions import Permission

_TYPES: Final = {ARGUMENTS: RecordType.INTENT.value, RESULT: RecordType.OUTCOME.value}
_COMMITS: Final = {ARGUMENTS: "args_commit", RESULT: "result_commit"}


@dataclass(frozen=True, slots=True)
class PartShown:
    """One part of a call as a reader sees it.

    `state`: exact; changed (redacted, or a secret left out); too_long (its hash is kept); commitment_only; nothing
    (none was sent or released); gone (erased or past its time); broken (altered, or its key is missing). `commitment`:
    holds (the bytes shown are those that were committed to), broken, none, or unchecked, which takes the exact bytes.
    With `salt` whoever has the bytes can check `commit` themselves.
    """

    part: str
    record_id: UUID | None
    state: str
    text: str = ""
    size: int | None = None
    secrets: int = 0
    sha256: str = ""
    commitment: str = "none"
    commit: str = ""
    salt: str = ""


@dataclass(frozen=True, slots=True)
class CallPayload:
    """What is kept of a call, in the order of its parts."""

    call_id: UUID
    parts: tuple[PartShown, ...]


def read_payload(*, call_id: UUID, actor: Actor, reason: str) -> CallPayload:
    """What is kept of a call, once the record of its being read is durable.

    Raises `Invalid` without a reason, `NotFound`, `PermissionDenied`.
    """
    permit(actor, Permission.PAYLOAD_READ, about=about_call(call_id))
    said = required_reason(reason)
    with transaction.atomic(durable=True):
        found = records_of_call(call_id)
        shown = CallPayload(call_id, tuple(_parts(call_id, found)))
        states = {part.part: part.state for part in shown.parts}
        record_about_call(Event.PAYLOAD_READ, found, call_id, actor, said, after=states)
    return shown


def required_reason(reason: str) -> str:
    """The reason without blanks around it. Raises `Invalid` where nothing is left."""
    said = reason.strip()
    if not said:
        raise Invalid("Say why; the reason is kept in the audit log.", field="reason")
    return said


def about_call(call_id: UUID) -> str:
    """How a call is named as a subject."""
    return subject("call", str(call_id))


def records_of_call(call_id: UUID) -> dict[str, Record]:
    """The records of a call by type, the first of each. Raises `NotFound`."""
    rows = Record.objects.in_call(call_id).filter(type__in=_TYPES.values()).order_by("shard", "id")[:10]
    found: dict[str, Record] = {}
    for row in rows:
        found.setdefault(row.type, row)
    if not found:
        raise NotFound("There is no such call in the audit log.")
    return found


def record_about_call(
    event: Event, found: Mapping[str, Record], call_id: UUID, actor: Actor, reason: str, **more: Any
) -> Record:
    """Record what was done about a call, with the server and tool of its own records."""
    about = next(iter(found.values()))
    return record(
        type=RecordType.ADMIN,
        event=event,
        actor=actor,
        subject=about_call(call_id),
        call_id=call_id,
        server=about.server,
        tool=about.tool,
        kind=about.kind,
        owner_team=about.owner_team,
        environment=about.environment,
        reason=reason,
        **more,
    )


def _parts(call_id: UUID, found: Mapping[str, Record]) -> list[PartShown]:
    rows = list(StoredPayload.objects.of_call(call_id))
    keys = _keys([row for row in rows if row.part == ARGUMENTS])
    by_part = {row.part: row for row in rows}
    parts: tuple[Part, ...] = (ARGUMENTS, RESULT)
    return [_part(part, found.get(_TYPES[part]), by_part.get(part), keys) for part in parts]


def _keys(rows: list[StoredPayload]) -> CallKeys | str | None:
    """The keys of a call; why there are none as a text, None where its row is gone."""
    if not rows:
        return None
    row = rows[0]
    sealer = Sealer(settings.PAYLOAD_KEYS, settings.INSTALLATION_ID)
    try:
        return sealer.find(bytes(row.key_id), bytes(row.secret), row.call_id, row.record_id)
    except CannotOpen as error:
        return str(error)


def _part(part: Part, said: Record | None, row: StoredPayload | None, keys: CallKeys | str | None) -> PartShown:
    commit = _committed(said, part)
    named: dict[str, Any] = {"part": part, "record_id": said.id if said is not None else None, "commit": commit}
    if keys is None:
        return PartShown(**named, state="gone" if commit else "nothing", commitment="unchecked" if commit else "none")
    if isinstance(keys, str):
        return PartShown(**named, state="broken", text=keys, commitment="unchecked" if commit else "none")
    salt = keys.arguments_salt if part == ARGUMENTS else keys.result_salt
    named |= {"salt": salt.hex() if commit else "", "commitment": "unchecked" if commit else "none"}
    if row is None or not row.sealed:
        return PartShown(**named, state="commitment_only" if commit else "nothing", size=row.size if row else None)
    try:
        content = decoded(keys.unseal(part, row.record_id, bytes(row.sealed)))
    except (CannotOpen, ValueError) as error:
        return PartShown(**named | {"state": "broken", "text": str(error), "size": row.size})
    if content.form == "exact":
        named["commitment"] = "holds" if keys.commit(part, content.data).hex() == commit else "broken"
    return PartShown(
        **named,
        state=content.form,
        text=content.data.decode("utf-8", "replace"),
        size=row.size,
        secrets=content.secrets,
        sha256=content.sha256,
    )


def _committed(said: Record | None, part: Part) -> str:
    """The commitment as the record's body has it, in hex; the column beside it counts for nothing."""
    if said is None:
        return ""
    found = json.loads(bytes(said.body)).get(_COMMITS[part], "")
    return found if isinstance(found, str) else ""
