"""What people do with alerts, who may, and what is recorded."""

from dataclasses import replace

import pytest

from alerts import services
from alerts.models import Alert
from audit.events import Event
from audit.models import Record
from core.actor import Actor
from core.errors import Conflict, NotFound, PermissionDenied
from core.ids import new_id
from core.permissions import Permission
from tests.alerts.logs import Log

pytestmark = pytest.mark.django_db


@pytest.fixture
def alert(log: Log) -> Alert:
    log.says(Event.TOOL_DRIFTED)
    return Alert.objects.get()


def test_acknowledging_says_who_and_why_and_is_recorded(alert: Alert, operator: Actor) -> None:
    done = services.acknowledge_alert(alert_id=alert.public_id, actor=operator, reason="looking")
    assert (done.state, done.handled_by, done.handled_reason) == ("acknowledged", "olga", "looking")
    row = Record.objects.get(event="alert.acknowledged")
    assert (row.type, row.server, row.owner_team, row.before) == ("admin", "files", "red", {"state": "open"})


def test_resolving_by_hand_ends_it(alert: Alert, operator: Actor) -> None:
    services.acknowledge_alert(alert_id=alert.public_id, actor=operator)
    assert services.resolve_alert(alert_id=alert.public_id, actor=operator, reason="seen").state == "resolved"
    assert Record.objects.filter(event="alert.resolved").count() == 1


def test_what_is_done_cannot_be_done_again(alert: Alert, operator: Actor) -> None:
    services.acknowledge_alert(alert_id=alert.public_id, actor=operator)
    with pytest.raises(Conflict):
        services.acknowledge_alert(alert_id=alert.public_id, actor=operator)
    services.resolve_alert(alert_id=alert.public_id, actor=operator)
    for service in (services.resolve_alert, services.acknowledge_alert):
        with pytest.raises(Conflict):
            service(alert_id=alert.public_id, actor=operator)


def test_own_teams_alerts_may_be_handled_and_others_are_not_there(log: Log, alert: Alert, owner: Actor) -> None:
    log.says(Event.TOOL_DRIFTED, "tool:db/query", owner_team="blue")
    assert [each.server for each in Alert.objects.visible_to(owner)] == ["files"]
    services.acknowledge_alert(alert_id=alert.public_id, actor=owner)
    with pytest.raises(NotFound):
        services.acknowledge_alert(alert_id=Alert.objects.get(server="db").public_id, actor=owner)


def test_who_may_only_read_is_denied_and_that_is_recorded(alert: Alert, nobody: Actor) -> None:
    reader = replace(nobody, permissions=frozenset({Permission.ALERT_READ.value}))
    with pytest.raises(PermissionDenied):
        services.resolve_alert(alert_id=alert.public_id, actor=reader)
    assert Record.objects.filter(event="action.denied").count() == 1
    assert Alert.objects.get().state == "open"


def test_who_may_not_read_finds_nothing(alert: Alert, nobody: Actor) -> None:
    assert not Alert.objects.visible_to(nobody).exists()
    with pytest.raises(NotFound):
        services.acknowledge_alert(alert_id=alert.public_id, actor=nobody)


def test_an_unknown_alert_is_not_found(operator: Actor, db: None) -> None:
    with pytest.raises(NotFound):
        services.resolve_alert(alert_id=new_id(), actor=operator)


class TestAnEmergency:
    """Its alert is for a second person."""

    @pytest.fixture
    def alert(self, log: Log, operator: Actor) -> Alert:
        log.says(Event.GLASS_BROKEN, actor=operator, digest="sha256:aa", reason="Production is down.")
        return Alert.objects.get()

    def test_whoever_caused_it_neither_acknowledges_nor_resolves_it(self, alert: Alert, operator: Actor) -> None:
        for service in (services.acknowledge_alert, services.resolve_alert):
            with pytest.raises(PermissionDenied, match="another person"):
                service(alert_id=alert.public_id, actor=operator)
        by_token = replace(operator, name="olga's token", narrowed=True)
        with pytest.raises(PermissionDenied):
            services.resolve_alert(alert_id=alert.public_id, actor=by_token)
        alert.refresh_from_db()
        assert alert.state == "open"
        denials = Record.objects.filter(event="action.denied")
        assert denials.count() == 3
        assert "another person" in denials[0].reason

    def test_another_person_does(self, alert: Alert, owner: Actor) -> None:
        services.acknowledge_alert(alert_id=alert.public_id, actor=owner)
        assert services.resolve_alert(alert_id=alert.public_id, actor=owner, reason="Checked.").state == "resolved"
