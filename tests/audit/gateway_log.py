"""Records of a gateway's writer, written row by row, right or wrong in any way that a test needs."""

from uuid import UUID

from django.conf import settings
from django.utils import timezone

from audit.chaining import Chain
from audit.drafts import Position, RecordDraft, columns, shard_of
from audit.events import Event, RecordType
from audit.models import Record, Writer
from core.ids import new_id


class GatewayLog:
    """One writer. `with_mac=False`: as the release before wrote."""

    def __init__(self, *, with_mac: bool = True, key: bytes | None = None, shard: int = 0) -> None:
        self.writer: UUID = new_id()
        self.shard = shard or shard_of(timezone.now())
        self.with_mac = with_mac
        self.chain = Chain(settings.INSTALLATION_ID, self.writer, self.shard, key or settings.AUDIT_KEYS[0])
        Writer.objects.create(id=self.writer, shard=self.shard, host="h", process="p", started_at=timezone.now())

    def says(self, *, number: int | None = None, mac: bytes | None = None) -> Record:
        """The next record, or one with another number or MAC."""
        position = Position(self.writer, number or self.chain.seq + 1)
        draft = RecordDraft(type=RecordType.INTENT, event=Event.CALL_INTENDED, principal="agent:a", time=timezone.now())
        row = columns(draft, installation=settings.INSTALLATION_ID, shard=self.shard, position=position)
        chain, right = self.chain.add(row["body"])
        if self.with_mac:
            row |= {"chain": chain, "mac": mac or right}
        return Record.objects.create(**row)
