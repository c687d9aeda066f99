"""A month of long ago, as time would have left it: the application makes months from now on only."""

from typing import Any

import psycopg
from django.conf import settings
from django.utils import timezone

from audit.drafts import RecordDraft, columns
from audit.events import Event, RecordType
from audit.models import Record

OLD = 202401


def make_old(owner: psycopg.Connection[Any]) -> None:
    """The month, and a retention of a year."""
    for parent in ("audit_record", "audit_leaf"):
        owner.execute(f"CREATE TABLE {parent}_{OLD} (LIKE {parent} INCLUDING ALL)")
        owner.execute(f"ALTER TABLE {parent} ATTACH PARTITION {parent}_{OLD} FOR VALUES IN ({OLD})")
    owner.execute("INSERT INTO audit_retention VALUES (1, 12) ON CONFLICT (id) DO UPDATE SET months = 12")


def write_old() -> Record:
    """One record of it, without a place."""
    draft = RecordDraft(type=RecordType.ADMIN, event=Event.TEAM_CREATED, principal="system:test", time=timezone.now())
    return Record.objects.create(**columns(draft, installation=settings.INSTALLATION_ID, shard=OLD))
