"""Families of tokens: everything that goes back to one act of allowing. What was stolen ends with all its relatives."""

import uuid

from django.db import connection
from django.utils import timezone

from access.models import AccessToken, Agent, Person, RefreshToken
from access.services.revisions import ACCESS_PART, bump_revision
from audit.events import Event, RecordType
from audit.services import record
from core.actor import Actor, ActorKind
from core.names import subject


def agent_actor(agent: Agent) -> Actor:
    """The agent as one who acts."""
    return Actor(kind=ActorKind.AGENT, id=agent.client_id, name=agent.name)


def person_actor(person: Person) -> Actor:
    """The person as one in whose name something is done; holds no permission."""
    return Actor(kind=ActorKind.PERSON, id=str(person.public_id), name=person.username)


def lock_person(person_id: int) -> Person:
    """The person, locked until the transaction ends, so that nobody is deactivated while tokens are made for them.

    Whoever locks more takes the person first, then a family, then rows: deactivation starts with the person too.
    """
    return Person.objects.select_for_update(no_key=True).get(pk=person_id)


def lock_family(family: uuid.UUID) -> None:
    """Let one transaction at a time work on a family. Rows would not do: its next token has none yet."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"token family {family}"])


def end_family(*, family: uuid.UUID, actor: Actor, reason: str) -> int:
    """End every token of a family within the current transaction; answers how many lived."""
    lock_family(family)
    tokens = RefreshToken.objects.filter(token_family=family)
    newest = tokens.select_related("user", "application").order_by("-pk").first()
    if newest is None:
        return 0
    now = timezone.now()
    ended = tokens.filter(revoked__isnull=True).update(revoked=now, updated=now)
    tokens.filter(successor__isnull=False).update(successor=None)
    gone, _ = AccessToken.objects.filter(refresh_token__token_family=family).delete()
    if ended or gone:
        _record_end(newest, actor, reason, tokens_ended=ended + gone)
        bump_revision(ACCESS_PART)
    return int(ended + gone)


def _record_end(token: RefreshToken, actor: Actor, reason: str, *, tokens_ended: int) -> None:
    record(
        type=RecordType.AUTH,
        event=Event.TOKEN_REVOKED,
        actor=actor,
        principal=person_actor(token.user),
        subject=subject("token", str(token.public_id)),
        decision="allowed",
        reason=reason,
        agent=token.application.client_id,
        after={"family": str(token.token_family), "tokens_ended": tokens_ended},
    )
