"""What people allow agents to do in their name: given on a page, remembered where that is safe, taken back."""

import hashlib
import json
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from access.models import Agent, AuthorizationCode, Consent, Grant, Person, ProtectedResource, RefreshToken, Suspension
from access.names import checked_reason
from access.redirects import is_loopback
from access.services.clients import is_listed
from access.services.codes import issue_code
from access.services.families import end_family, lock_family, lock_person
from access.services.recording import refuse_without, subject_of
from audit.events import Event, RecordType
from audit.permit import audited_denials
from audit.services import record
from core.actor import Actor
from core.errors import Conflict, NotFound
from core.permissions import Permission
from core.scopes import connects


@dataclass(frozen=True, slots=True)
class Wish:
    """What an agent asks a person to allow. `registered_uri` is `redirect_uri` as it was registered."""

    person: Person
    agent: Agent
    redirect_uri: str
    registered_uri: str
    resource: str
    scopes: tuple[str, ...]
    code_challenge: str


def endpoints_for(person: Person) -> list[ProtectedResource]:
    """The endpoints that a person may connect to by their live grants, wherever those hold."""
    held = Grant.objects.live().reaching_person(person).values_list("role__scopes", flat=True)
    scopes = {scope for given in held for scope in given}
    active = ProtectedResource.objects.filter(active=True).order_by("server_slug")
    return [resource for resource in active if connects(scopes, resource.server_slug)]


def endpoints_seen_by(actor: Actor) -> list[ProtectedResource]:
    """All endpoints, for who may read every server; others see those that they may connect to."""
    if not actor.may(Permission.SERVER_READ):
        return []
    return list(ProtectedResource.objects.filter(active=True).order_by("server_slug"))


def client_digest(agent: Agent) -> str:
    """What an agent looks like to people; when it changes they are asked again."""
    looks = [agent.client_id, agent.name, agent.client_type, sorted(agent.redirect_uris.split()), agent.document_digest]
    return hashlib.sha256(json.dumps(looks).encode("utf-8", "surrogatepass")).hexdigest()


@transaction.atomic
def give_consent(*, wish: Wish, actor: Actor) -> str:
    """Keep that the person allows the agent what it asks for; answers the code for it. Raises `Conflict`."""
    _refuse_if_stopped(wish)
    now = timezone.now()
    until = now + timedelta(days=settings.REFRESH_TOKEN_DAYS)
    consent, _ = Consent.objects.update_or_create(
        person=wish.person,
        agent=wish.agent,
        key=_key(wish),
        revoked_at=None,
        defaults={"given_at": now, "ends_at": until, "client_digest": client_digest(wish.agent)},
        create_defaults={
            "given_at": now,
            "ends_at": until,
            "client_digest": client_digest(wish.agent),
            "redirect_uri": wish.registered_uri,
            "resource": wish.resource,
            "scopes": sorted(wish.scopes),
        },
    )
    _record(Event.CONSENT_GIVEN, wish, actor, after={**_told(wish), "consent": str(consent.public_id)})
    return _code(wish)


@transaction.atomic
def refuse_consent(*, wish: Wish, actor: Actor) -> None:
    """Record that the person did not allow it."""
    _record(Event.CONSENT_REFUSED, wish, actor, after=_told(wish))


@transaction.atomic
def code_by_consent(*, wish: Wish) -> str | None:
    """A code by what the person allowed before; None where they must be asked.

    Programs on a person's computer are always asked about, because any other program there could pose as one; so are
    agents that nobody here registered or listed.
    """
    if is_loopback(wish.redirect_uri) or not _is_vouched_for(wish.agent):
        return None
    live = Consent.objects.live().filter(person=wish.person, agent=wish.agent, key=_key(wish))
    if not live.filter(client_digest=client_digest(wish.agent)).exists():
        return None
    _refuse_if_stopped(wish)
    return _code(wish)


@audited_denials
def revoke_consent(*, consent_id: uuid.UUID, actor: Actor, reason: str = "") -> Consent:
    """Take back what a person allowed an agent at one endpoint, and end every token that came of it.

    People take back their own; whoever manages the agent does it for them, with a reason.
    Raises `NotFound`, `Conflict` (taken back already), `PermissionDenied`, `Invalid` (no reason).
    """
    consent = Consent.objects.select_related("person", "agent").visible_to(actor).filter(public_id=consent_id).first()
    if consent is None:
        raise NotFound("There is no such consent.")
    if actor.id != str(consent.person.public_id):
        about = subject_of(consent.agent)
        refuse_without(actor, Permission.AGENT_MANAGE, about, team_id=consent.agent.owner_team_id)
        reason = checked_reason(reason)
    lock_person(consent.person_id)
    consent.refresh_from_db()
    if consent.revoked_at is not None:
        raise Conflict("This was taken back already.")
    ended = _end(consent, actor)
    _record_revoked(consent, actor, reason, tokens_ended=ended)
    consent.refresh_from_db()
    return consent


def end_consents(person: Person) -> None:
    """Forget what a person allowed, and codes on their way, within the transaction that deactivates them."""
    AuthorizationCode.objects.filter(user=person).delete()
    Consent.objects.filter(person=person, revoked_at__isnull=True).update(revoked_at=timezone.now())


def end_consents_at(*, slug: str, actor: Actor, reason: str) -> None:
    """End every consent, code and token of people at one server, within the transaction that retires it."""
    resource = ProtectedResource.objects.filter(server_slug=slug).first()
    if resource is None:
        return
    Consent.objects.filter(resource=resource.uri, revoked_at__isnull=True).update(revoked_at=timezone.now())
    AuthorizationCode.objects.filter(resource=[resource.uri]).delete()
    _end_families(RefreshToken.objects.filter(resource=[resource.uri]), actor, reason)


def _end(consent: Consent, actor: Actor) -> int:
    """End every consent of the same person, agent and endpoint: otherwise one would bring back what another lost."""
    alike = Q(resource=consent.resource, person=consent.person, agent=consent.agent)
    Consent.objects.filter(alike, revoked_at__isnull=True).update(revoked_at=timezone.now())
    theirs = {"application": consent.agent, "user": consent.person, "resource": [consent.resource]}
    AuthorizationCode.objects.filter(**theirs).delete()
    return _end_families(RefreshToken.objects.filter(**theirs), actor, "consent taken back")


def _end_families(tokens: QuerySet[RefreshToken], actor: Actor, reason: str) -> int:
    # All locks first and in one order: ending a family locks the revision, which whoever holds another family may want.
    living = tokens.filter(revoked__isnull=True).order_by("token_family")
    found = list(living.values_list("token_family", flat=True).distinct())
    for family in found:
        lock_family(family)
    return sum(end_family(family=family, actor=actor, reason=reason) for family in found)


def _is_vouched_for(agent: Agent) -> bool:
    """Whether somebody here registered the agent, or named the very document that it is."""
    if agent.registration_source == Agent.RegistrationSource.MANUAL:
        return True
    return agent.has_document and is_listed(agent.client_id)


def _refuse_if_stopped(wish: Wish) -> None:
    person = lock_person(wish.person.pk)
    agent = Agent.objects.filter(pk=wish.agent.pk).first()
    if not person.is_active or agent is None or not agent.is_usable(None) or _is_suspended(wish):
        raise Conflict("The person or the application was stopped in the meantime.")


def _is_suspended(wish: Wish) -> bool:
    return Suspension.objects.stopping(agent=wish.agent, person=wish.person, resource=wish.resource).exists()


def _code(wish: Wish) -> str:
    return issue_code(
        person=wish.person,
        agent=wish.agent,
        redirect_uri=wish.redirect_uri,
        resource=wish.resource,
        scopes=wish.scopes,
        code_challenge=wish.code_challenge,
    )


def _key(wish: Wish) -> str:
    named = [wish.registered_uri, wish.resource, sorted(wish.scopes)]
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()


def _told(wish: Wish) -> dict[str, Any]:
    return {"redirect_uri": wish.redirect_uri, "resource": wish.resource, "scopes": sorted(wish.scopes)}


def _record(event: Event, wish: Wish, actor: Actor, *, after: dict[str, Any]) -> None:
    decision = "allowed" if event == Event.CONSENT_GIVEN else "denied"
    about, agent = subject_of(wish.agent), wish.agent.client_id
    record(type=RecordType.AUTH, event=event, actor=actor, subject=about, agent=agent, decision=decision, after=after)


def _record_revoked(consent: Consent, actor: Actor, reason: str, *, tokens_ended: int) -> None:
    record(
        type=RecordType.AUTH,
        event=Event.CONSENT_REVOKED,
        actor=actor,
        subject=subject_of(consent.agent),
        agent=consent.agent.client_id,
        decision="allowed",
        reason=reason,
        after={
            "consent": str(consent.public_id),
            "person": subject_of(consent.person),
            "resource": consent.resource,
            "tokens_ended": tokens_ended,
        },
    )
