"""States of policy that calls were decided by and that no change left."""

import pytest
from django.utils import timezone

from access.services import bump_revision, create_role, policy_digest, stamp
from alerts.models import Alert, Cursor
from alerts.services import follow_records, tell_policy
from audit.drafts import RecordDraft
from audit.events import Event, RecordType
from audit.models import Leaf, Record
from audit.services import place_records
from audit.services.recording import record_drafts
from core.actor import system_actor
from core.permissions import Permission

pytestmark = pytest.mark.django_db

ADMIN = system_actor("test", *Permission)
ODD = stamp("a" * 64, "b" * 64)


def calls(*stamps: str, server: str = "files", event: Event = Event.CALL_INTENDED) -> None:
    """Calls to a server that were decided by these states, placed in the log."""
    kind = RecordType.DENY if event is Event.CALL_DENIED else RecordType.INTENT
    now = timezone.now()
    record_drafts([
        RecordDraft(type=kind, event=event, principal="agent:a", time=now, server=server, policy_digest=each)
        for each in stamps
    ])  # fmt: skip
    place_records()


def told() -> list[tuple[str, str]]:
    """Subject and state of what was told, oldest first."""
    records = Record.objects.filter(event="policy.altered").order_by("id")
    return [(record.subject, (record.after or {})["policy_digest"]) for record in records]


def left() -> str:
    """What a change leaves for calls to `files`."""
    create_role(name="files", scopes=["mcp:files:call"], actor=ADMIN)
    bump_revision("server:files")
    tell_policy()
    return stamp(policy_digest("access"), policy_digest("server:files"))


def test_each_state_that_no_change_left_is_told_once_for_each_server_and_raises_an_alert() -> None:
    calls(left(), ODD, ODD)
    assert tell_policy() == 1
    calls(ODD, event=Event.CALL_DENIED)
    assert tell_policy() == 0
    calls(ODD, server="mail")
    assert tell_policy() == 1
    assert told() == [("policy:stamp/files", ODD), ("policy:stamp/mail", ODD)]
    place_records()
    follow_records()
    assert [(alert.kind, alert.server) for alert in Alert.objects.live().order_by("server")] == [
        ("policy_altered", "files"),
        ("policy_altered", "mail"),
    ]


def test_the_release_before_left_no_stamp_and_a_look_goes_on_where_the_last_one_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("alerts.services.stamps._BATCH", 2)
    calls(left(), "", "", "")
    assert (tell_policy(), told()) == (0, [])
    assert Cursor.objects.get(name="stamps").index == Leaf.objects.head()
    calls("", "", ODD)
    assert [tell_policy(seconds=0), tell_policy()] == [0, 1]


def test_calls_before_the_first_change_that_left_digests_were_decided_by_what_was_there() -> None:
    before = stamp(policy_digest("access"), policy_digest("server:files"))
    assert left() != before
    calls(before)
    assert (tell_policy(), told()) == (0, [])
