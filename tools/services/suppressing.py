"""Leaving findings out of the risk for a while: with a reason, an end, and a name behind it.

What is suppressed stays visible, and nothing is let through by it: what waits goes on waiting, and what a policy or a
drift mode may do is asked of all findings, suppressed or not.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.utils import timezone

from access.models import Person
from audit.events import Event, RecordType
from audit.permit import audited_denials, refuse_unless
from audit.services import record
from core.actor import Actor, ActorKind
from core.errors import Conflict, Invalid, NotFound, PermissionDenied, SecondFactorNeeded
from core.names import is_slug, subject
from core.permissions import Permission
from servers.models import Server
from servers.rules import Environment
from tools.models import DefinitionVersion, Suppression
from tools.models.suppressions import SUPPRESSED_MAX
from tools.risk import INCOMPLETE
from tools.scanner import RULES
from tools.scanner.servers import SERVERS
from tools.services.closing import counts
from tools.services.groundwork import given_reason, refuse_retired

_RULES: Final = frozenset(rule.id for rule in (*RULES, *SERVERS))


@dataclass(frozen=True, slots=True)
class Target:
    """What is left out: every finding of one version (by its digest), or those of one rule. One of both."""

    rule: str = ""
    digest: str = ""


@audited_denials
def suppress(*, server: str, target: Target, reason: str, until: datetime, actor: Actor) -> Suppression:
    """Leave findings of one server out of its risk until `until`, an aware datetime.

    Raises `NotFound`, `PermissionDenied` (who may not decide this server's reviews), `Invalid` (rule, digest, reason,
    until), and `Conflict` when this is suppressed already or the server is retired.
    """
    why, now = given_reason(reason), timezone.now()
    if not now < until <= now + SUPPRESSED_MAX:
        raise Invalid(f"A suppression ends in the future, and within {SUPPRESSED_MAX.days} days.", field="until")
    _refuse_strangers(actor, subject("server", server if is_slug(server) else ""))
    row = _locked_server(server, actor)
    person = _person_who_may(actor, row)
    refuse_retired(row)
    what = _what(row, target)
    if Suppression.objects.in_force(now).filter(server=row, **what).exists():
        raise Conflict("This is suppressed already; revoke that first.")
    made = Suppression.objects.create(server=row, reason=why, made_by=person, made_at=now, ends_at=until, **what)
    _record(Event.SUPPRESSION_MADE, made, actor, why)
    return made


@audited_denials
def revoke_suppression(*, suppression_id: UUID, reason: str, actor: Actor) -> Suppression:
    """Let the findings count again. Raises `NotFound`, `PermissionDenied`, `Invalid` (reason), `Conflict` when over."""
    why = given_reason(reason)
    _refuse_strangers(actor, subject("suppression", str(suppression_id)))
    found = Suppression.objects.visible_to(actor).select_related("server").by_id(suppression_id)
    server = _locked_server(found.server.slug, actor)
    person = _person_who_may(actor, server, decides=False)
    rows = Suppression.objects.select_for_update(of=("self",)).select_related("server__owner_team", "version")
    row = rows.get(pk=found.pk)
    if not row.in_force:
        raise Conflict("This suppression is over.")
    row.revoked_by, row.revoked_at, row.revoked_why = person, timezone.now(), why
    row.save(update_fields=["revoked_by", "revoked_at", "revoked_why"])
    _record(Event.SUPPRESSION_REVOKED, row, actor, why)
    return row


def _refuse_strangers(actor: Actor, about: str) -> None:
    """Refuse who decides nowhere before anything is said of what there is."""
    refuse_unless(
        actor.kind is ActorKind.PERSON and actor.may_somewhere(Permission.REVIEW_DECIDE),
        actor=actor,
        permission=Permission.REVIEW_DECIDE,
        subject=about,
    )


def _locked_server(slug: str, actor: Actor) -> Server:
    visible = Server.objects.visible_to(actor).select_for_update(of=("self",)).select_related("owner_team")
    found = visible.filter(slug=slug).first() if is_slug(slug) else None
    if found is None:
        raise NotFound(f"There is no server '{slug[:80]}'.", field="server")
    return found


def _person_who_may(actor: Actor, server: Server, *, decides: bool = True) -> Person:
    """Who may decide reviews of this server; where two people are needed, not who registered it (`closing.counts`)."""
    about = subject("server", server.slug)
    refuse_unless(
        actor.kind is ActorKind.PERSON and actor.may(Permission.REVIEW_DECIDE, team_id=server.owner_team_id),
        actor=actor,
        permission=Permission.REVIEW_DECIDE,
        subject=about,
    )
    person = Person.objects.filter(public_id=actor.id, is_active=True).first()
    if person is None:
        raise NotFound("The person is not known.")
    if server.environment == Environment.PRODUCTION.value and actor.lacks_second_factor:
        raise SecondFactorNeeded(subject=about)
    if decides and not counts(server, person.pk, needed=server.required_approvals):
        raise PermissionDenied(
            "Who registered the server or changed its endpoint suppresses nothing of it; another person has to.",
            subject=about,
        )
    return person


def _what(server: Server, target: Target) -> dict[str, Any]:
    if bool(target.rule) == bool(target.digest):
        raise Invalid("Name either a rule or the digest of a version.", field="rule")
    if target.digest:
        versions = DefinitionVersion.objects.filter(definition__server=server, digest=target.digest[:80])
        version = versions.defer("text").first() if "\0" not in target.digest else None
        if version is None:
            raise Invalid("The server never showed a version with this digest.", field="digest")
        return {"version": version}
    if target.rule == INCOMPLETE:
        raise Invalid("That a scan did not finish is never suppressed.", field="rule")
    if target.rule not in _RULES:
        raise Invalid("There is no such rule.", field="rule")
    return {"rule": target.rule}


def _record(event: Event, row: Suppression, actor: Actor, reason: str) -> None:
    server = row.server
    record(
        type=RecordType.REVIEW,
        event=event,
        actor=actor,
        subject=subject("server", server.slug),
        server=server.slug,
        digest=row.version.digest if row.version else "",
        owner_team=server.owner_team.slug if server.owner_team else "",
        environment=server.environment,
        reason=reason,
        after={"suppression": str(row.public_id), "rule": row.rule, "until": row.ends_at.isoformat()},
    )
