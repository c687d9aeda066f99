"""What a token that somebody found is: whose, alive or not and why, what it is good for. Its value is kept nowhere."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeVar
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from access.models import AccessToken, Agent, AgentState, ApiToken, Person, ProtectedResource, RefreshToken, Suspension
from access.services.refresh import ends_at, has_ended
from access.services.suspensions import is_suspended
from access.token_format import TokenKind
from access.tokens import issued_as
from audit.events import Event, RecordType
from audit.permit import audited_denials, refuse_unless
from audit.services import record
from core.actor import Actor
from core.names import subject
from core.permissions import Permission

FOUND_NOWHERE: Final = subject("token", "unknown")
T = TypeVar("T", AccessToken, RefreshToken)


class TokenState(StrEnum):
    """Whether a token works now, or what first keeps it from working."""

    ACTIVE = "active"
    AGENT_SUSPENDED = "agent_suspended"
    ENDPOINT_GONE = "endpoint_gone"
    EXCHANGED = "exchanged"
    EXPIRED = "expired"
    PERSON_INACTIVE = "person_inactive"
    REVOKED = "revoked"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class InspectedToken:
    """A token of ours, as far as whoever asks may see it.

    `for_person`: it acts for somebody; `person` is None all the same where the asker may not see them.
    `scopes` of an API token are permissions; none of them: all that its person may do.
    """

    kind: TokenKind
    public_id: UUID
    state: TokenState
    issued_at: datetime
    name: str = ""
    agent: Agent | None = None
    for_person: bool = True
    person: Person | None = None
    resource: str = ""
    scopes: tuple[str, ...] = ()
    expires_at: datetime | None = None
    last_used_at: datetime | None = None  # of a refresh token: when it was exchanged; of an access token unknown

    @property
    def subject(self) -> str:
        """As the audit log names it."""
        return subject("api_token" if self.kind is TokenKind.API else "token", str(self.public_id))


@sensitive_variables()  # in all frames below
@audited_denials
def inspect_token(*, token: str, actor: Actor) -> InspectedToken | None:
    """What `token` is; None for one that is not ours, is kept no more, or that `actor` may not see, all alike.

    The record names the token where it is found, and is silent about what was asked where it is not. Raises
    `PermissionDenied` without `agent:read`.
    """
    allowed = actor.may_somewhere(Permission.AGENT_READ)
    refuse_unless(allowed, actor=actor, permission=Permission.AGENT_READ, subject=FOUND_NOWHERE)
    found = next(filter(None, (look(token, actor) for look in _LOOKS)), None)
    agent = found.agent if found else None
    record(
        type=RecordType.AUTH,
        event=Event.TOKEN_INSPECTED,
        actor=actor,
        subject=found.subject if found else FOUND_NOWHERE,
        decision="allowed",
        agent=agent.client_id if agent else "",
        owner_team=agent.owner_team.slug if agent and agent.owner_team else "",
        after={"state": found.state.value if found else "unknown"},
    )
    return found


def stopped_by(*, agent: Agent, person: Person | None, resource: str) -> TokenState | None:
    """What keeps every token of `agent` for `resource`, and `person` if there is one, from working; None: nothing."""
    if agent.state != AgentState.ACTIVE:
        return TokenState.AGENT_SUSPENDED
    if person is not None and not person.is_active:
        return TokenState.PERSON_INACTIVE
    if Suspension.objects.stopping(agent=agent, person=person, resource=resource).exists():
        return TokenState.SUSPENDED
    return None


def _access(token: str, actor: Actor) -> InspectedToken | None:
    row = _of_visible_agent(issued_as(TokenKind.ACCESS, token, AccessToken.objects.all()), actor)
    if row is None:
        return None
    ended = TokenState.EXPIRED if row.expires <= timezone.now() else None
    return _of_agent(TokenKind.ACCESS, row, actor, ended, expires_at=row.expires)


def _refresh(token: str, actor: Actor) -> InspectedToken | None:
    row = _of_visible_agent(issued_as(TokenKind.REFRESH, token, RefreshToken.objects.all()), actor)
    if row is None:
        return None
    ended = None
    if row.revoked is not None:
        ended = TokenState.EXCHANGED if row.superseded_at else TokenState.REVOKED
    elif has_ended(row, timezone.now()):
        ended = TokenState.EXPIRED
    return _of_agent(TokenKind.REFRESH, row, actor, ended, expires_at=ends_at(row), last_used_at=row.superseded_at)


def _api(token: str, actor: Actor) -> InspectedToken | None:
    visible = ApiToken.objects.visible_to(actor).select_related("person")
    row = issued_as(TokenKind.API, token, visible).first()
    if row is None:
        return None
    return InspectedToken(
        kind=TokenKind.API,
        public_id=row.public_id,
        state=_state_of_api_token(row),
        issued_at=row.created_at,
        name=row.name,
        person=row.person,
        scopes=tuple(row.scopes),
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )


_LOOKS: Final[tuple[Callable[[str, Actor], InspectedToken | None], ...]] = (_access, _refresh, _api)


def _of_visible_agent(rows: QuerySet[T], actor: Actor) -> T | None:
    agents = Agent.objects.visible_to(actor).order_by().values("pk")
    found = rows.filter(application__in=agents)
    return found.select_related("application__owner_team", "application__use", "user").first()


def _of_agent(
    kind: TokenKind,
    row: AccessToken | RefreshToken,
    actor: Actor,
    ended: TokenState | None,
    *,
    expires_at: datetime,
    last_used_at: datetime | None = None,
) -> InspectedToken:
    agent, person, resource = row.application, row.user, row.resource[0]
    visible = person is not None and Person.objects.visible_to(actor).filter(pk=person.pk).exists()
    state = ended or stopped_by(agent=agent, person=person, resource=resource)
    if state is None and not ProtectedResource.objects.filter(uri=resource, active=True).exists():
        state = TokenState.ENDPOINT_GONE
    return InspectedToken(
        kind=kind,
        public_id=row.public_id,
        state=state or TokenState.ACTIVE,
        issued_at=row.created,
        agent=agent,
        for_person=person is not None,
        person=person if visible else None,
        resource=resource,
        scopes=tuple(sorted(row.scope.split())),
        expires_at=expires_at,
        last_used_at=last_used_at,
    )


def _state_of_api_token(row: ApiToken) -> TokenState:
    if row.revoked_at is not None:
        return TokenState.REVOKED
    if row.expires_at is not None and row.expires_at <= timezone.now():
        return TokenState.EXPIRED
    if not row.person.is_active:
        return TokenState.PERSON_INACTIVE
    return TokenState.SUSPENDED if is_suspended(row.person) else TokenState.ACTIVE
