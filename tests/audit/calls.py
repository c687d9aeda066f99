"""Calls as a gateway leaves them: two records, and what is kept beside them."""

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from audit.content import content_of, encoded
from audit.drafts import RecordDraft, columns, shard_of
from audit.events import Event, RecordType
from audit.models import Record, StoredPayload
from audit.payload import ARGUMENTS, RESULT, Part
from audit.redaction import Capture
from audit.sealing import CallKeys, Sealer
from core.ids import new_id

EVERYTHING = Capture(arguments=True, result=True)
ASKED = b'{"name":"search","arguments":{"q":"ada"}}'
TOLD = b'{"content":[{"type":"text","text":"found"}]}'


def kept_call(
    asked: bytes = ASKED,
    told: bytes = TOLD,
    *,
    capture: Capture = EVERYTHING,
    owner_team: str = "",
    expires_in: timedelta = timedelta(days=30),
) -> UUID:
    """A call whose payload is kept as `capture` says; answers its id."""
    call_id, intent, outcome = new_id(), new_id(), new_id()
    sealer = Sealer(settings.PAYLOAD_KEYS, settings.INSTALLATION_ID)
    keys, now = sealer.begin(call_id, intent), timezone.now()

    def sealed(part: Part, record_id: UUID, data: bytes) -> bytes:
        if not getattr(capture, part):
            return b""
        content = content_of(part, data, capture.of(part, "search"), sealer.lookup_mark)
        return keys.seal(part, record_id, encoded(content))

    written(RecordType.INTENT, Event.CALL_INTENDED, call_id, intent, keys, ARGUMENTS, asked, owner_team)
    written(RecordType.OUTCOME, Event.CALL_COMPLETED, call_id, outcome, keys, RESULT, told, owner_team)
    shared = {"call_id": call_id, "shard": shard_of(now), "expires_at": now + expires_in, "key_id": keys.key_id}
    rows = [
        StoredPayload(
            **shared, record_id=intent, part=ARGUMENTS, secret=keys.secret, sealed=sealed(ARGUMENTS, intent, asked),
            size=len(asked),
        )
    ]  # fmt: skip
    if capture.result:
        last = sealed(RESULT, outcome, told)
        rows.append(StoredPayload(**shared, record_id=outcome, part=RESULT, secret=b"", sealed=last, size=len(told)))
    StoredPayload.objects.bulk_create(rows)
    return call_id


def written(
    type_: RecordType, event: Event, call_id: UUID, id_: UUID, keys: CallKeys, part: Part, data: bytes, owner_team: str
) -> None:
    """One record of a call, with its commitment."""
    commit, now = keys.commit(part, data), timezone.now()
    draft = RecordDraft(
        type=type_, event=event, principal="agent:robot", time=now, id=id_, call_id=call_id, server="files",
        kind="tool", tool="search", owner_team=owner_team, args_commit=commit if part == ARGUMENTS else None,
        result_commit=commit if part == RESULT else None,
    )  # fmt: skip
    Record.objects.create(**columns(draft, installation=settings.INSTALLATION_ID, shard=shard_of(now)))
