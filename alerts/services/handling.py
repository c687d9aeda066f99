"""What people do with alerts."""

from uuid import UUID

from django.utils import timezone

from alerts.models import Alert
from alerts.rules import AlertState, may_look_after
from audit.events import Event, RecordType
from audit.permit import audited_denials, refuse_unless
from audit.services import record
from audit.subjects import principal_of
from core.actor import Actor
from core.errors import Conflict, PermissionDenied
from core.names import subject
from core.permissions import Permission


@audited_denials
def acknowledge_alert(*, alert_id: UUID, actor: Actor, reason: str = "") -> Alert:
    """Say that somebody looks after an open alert; of an emergency, somebody else than whoever caused it.

    Raises `NotFound`, `PermissionDenied`, `Conflict`.
    """
    alert = _alert_to_handle(alert_id, actor)
    if alert.state != AlertState.OPEN.value:
        raise Conflict(f"This alert is already {alert.state}.")
    return _handled(alert, AlertState.ACKNOWLEDGED, Event.ALERT_ACKNOWLEDGED, actor, reason)


@audited_denials
def resolve_alert(*, alert_id: UUID, actor: Actor, reason: str = "") -> Alert:
    """Close an alert by hand. What caused it is not changed. Raises `NotFound`, `PermissionDenied`, `Conflict`."""
    alert = _alert_to_handle(alert_id, actor)
    if alert.state == AlertState.RESOLVED.value:
        raise Conflict("This alert is already resolved.")
    return _handled(alert, AlertState.RESOLVED, Event.ALERT_RESOLVED, actor, reason)


def may_handle(actor: Actor, owner_team: str) -> bool:
    """Whether `actor` may acknowledge and resolve alerts of what `owner_team` owns."""
    needed = Permission.ALERT_ACKNOWLEDGE
    return actor.may(needed) or (owner_team in actor.team_slugs and needed in actor.own_team_permissions)


def _alert_to_handle(alert_id: UUID, actor: Actor) -> Alert:
    alert = Alert.objects.visible_to(actor).locked(alert_id)
    refuse_unless(
        may_handle(actor, alert.owner_team),
        actor=actor,
        permission=Permission.ALERT_ACKNOWLEDGE,
        subject=subject("alert", str(alert.public_id)),
    )
    if not may_look_after(alert.kind, caused_by=alert.caused_by, who=principal_of(actor)):
        raise PermissionDenied("You broke the glass, so another person has to look after this alert.")
    return alert


def _handled(alert: Alert, state: AlertState, event: Event, actor: Actor, reason: str) -> Alert:
    before = {"state": alert.state}
    alert.state = state.value
    alert.handled_by = actor.name
    alert.handled_at = timezone.now()
    alert.handled_reason = reason
    alert.save(update_fields=["state", "handled_by", "handled_at", "handled_reason"])
    record(
        type=RecordType.ADMIN,
        event=event,
        actor=actor,
        subject=subject("alert", str(alert.public_id)),
        server=alert.server,
        owner_team=alert.owner_team,
        environment=alert.environment,
        reason=reason,
        before=before,
        after={"state": alert.state, "kind": alert.kind, "about": alert.subject},
    )
    return alert
