"""How far a change would reach: who could call a tool if what waits were approved, and who called it lately."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from django.utils import timezone

from access.models import Grant, Role
from access.policy import PinState
from audit.events import RecordType
from audit.models import Record
from controlplane.callers.reading import allowed
from controlplane.principals import Principal
from core.actor import Actor
from core.errors import NotFound
from core.permissions import Permission
from gateway.facts import read_access, read_tools
from gateway.reach import Offered
from servers.surface import Kind
from tools.models import Definition, Review
from tools.presentation import scopes_for

LATELY: Final = timedelta(days=30)
CALLS_MAX: Final = 1000  # calls that are counted; more are said to be more
_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Blast:
    """Roles that reach it, agents and people whom those let call it, and the calls of the last `LATELY`.

    Each with the first few names and how many there are. `calls` is None for who may not read the log; `CALLS_MAX`
    means that many or more.
    """

    roles: tuple[str, ...]
    agents: tuple[Principal, ...]
    people: tuple[Principal, ...]
    calls: int | None
    named: int = _NAMED

    @property
    def is_capped(self) -> bool:
        """Whether there were more calls than are counted."""
        return self.calls == CALLS_MAX


def blast_of(actor: Actor, review: Review) -> Blast:
    """Of a tool's review, as far as the actor sees grants and tools. Raises `NotFound` for what is no tool."""
    definition = review.definition
    if definition.kind != Kind.TOOL.value:
        raise NotFound("Only tools are called.")
    slug = definition.server.slug
    scopes = scopes_for(slug, definition.kind, definition.name, sensitive=definition.sensitive)
    # A role that nobody holds lets nobody in, but whoever gets it.
    roles = Role.objects.visible_to(actor).filter(scopes__overlap=list(scopes)).order_by("name")
    callers = allowed(actor, slug, list(_as_if_approved(review)), read_access(Grant.objects.visible_to(actor)))
    return Blast(
        roles=tuple(roles.values_list("name", flat=True)),
        agents=tuple(each for each in callers if each.kind == "agent"),
        people=tuple(each for each in callers if each.kind == "person"),
        calls=_calls(actor, definition),
    )


def _as_if_approved(review: Review) -> Iterator[Offered]:
    """The tool as a call of it would be decided if this version were approved and its server served."""
    digest = review.version.digest
    for tool in read_tools(Definition.objects.filter(pk=review.definition_id)):
        facts = replace(tool.facts, state=PinState.APPROVED, digest=digest, expires_at=None, unusable=False)
        yield replace(tool, facts=facts, server=replace(tool.server, active=True, withheld=False, trusted_until=None))


def _calls(actor: Actor, definition: Definition) -> int | None:
    if not actor.may_somewhere(Permission.AUDIT_READ):
        return None
    since = timezone.now() - LATELY
    asked = Record.objects.visible_to(actor).between(since, None).of_type(RecordType.INTENT)
    rows = asked.filter(server=definition.server.slug, tool=definition.name).order_by()
    return len(rows.values_list("pk", flat=True)[:CALLS_MAX])
