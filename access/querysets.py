"""Reads of `access`. Every list starts from `visible_to(actor)`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Subquery, Value
from django.db.models.functions import Cast, Coalesce, Greatest, Lower
from django.utils import timezone

from access.names import PERMISSIONS
from core.actor import Actor, ActorKind
from core.permissions import Permission

if TYPE_CHECKING:
    from datetime import datetime

    from access.models import (  # noqa: F401 -- type arguments below
        Agent,
        ApiToken,
        Consent,
        ConsoleSession,
        Grant,
        Person,
        PolicyDigest,
        Role,
        RoleSeparation,
        Suspension,
        Team,
    )

NOTHING = Q(pk__in=[])
M = TypeVar("M", bound=models.Model)


class _VisibleQuerySet(models.QuerySet[M]):
    """Rows that an actor may see: all of them with the permission `reading`, or what is near to the actor."""

    reading: Permission

    def visible_to(self, actor: Actor) -> Self:
        """What `actor` may see."""
        if actor.may(self.reading):
            return self.all()
        near = self._own(actor)
        if actor.may_somewhere(self.reading):
            near |= self._of_teams(actor)
        return self.filter(near)

    def _own(self, actor: Actor) -> Q:
        """The rows that are the actor's own, visible without any permission."""
        return NOTHING

    def _of_teams(self, actor: Actor) -> Q:
        """The rows of the actor's teams, visible with a permission that reaches those."""
        return NOTHING


def _person_is(actor: Actor, path: str) -> Q:
    return Q(**{path: actor.id}) if actor.kind is ActorKind.PERSON else NOTHING


def _people_of(actor: Actor) -> Any:
    return apps.get_model("access", "Membership").objects.filter(team_id__in=actor.team_ids).values("person_id")


def _not_suspended(person: str, public_id: str) -> models.expressions.Combinable:
    """That neither a person nor a team of theirs is suspended; both by the path to them."""
    teams = apps.get_model("access", "Team").objects.filter(memberships__person=OuterRef(OuterRef(person)))
    name = Cast(OuterRef(public_id), models.TextField())
    stops = Q(kind="person", name=name) | Q(kind="team", name__in=teams.order_by().values("slug"))
    return ~Exists(apps.get_model("access", "Suspension").objects.live().filter(stops))


class PersonQuerySet(_VisibleQuerySet["Person"]):
    """People."""

    reading = Permission.PERSON_READ

    def _own(self, actor: Actor) -> Q:
        return _person_is(actor, "public_id")

    def _of_teams(self, actor: Actor) -> Q:
        return Q(pk__in=_people_of(actor))

    def named(self, username: str) -> Self:
        """The person with this user name, whatever its case."""
        return self.alias(folded=Lower("username")).filter(folded=username.lower())

    def get_by_natural_key(self, username: str | None) -> Person:
        """Django's authentication looks people up here. Raises `Person.DoesNotExist`."""
        return self.named(username or "").get()

    def active(self) -> Self:
        """People who may sign in: neither deactivated nor suspended."""
        return self.filter(_not_suspended("pk", "public_id"), is_active=True)


class TeamQuerySet(_VisibleQuerySet["Team"]):
    """Teams; everybody sees their own."""

    reading = Permission.TEAM_READ

    def _own(self, actor: Actor) -> Q:
        return Q(pk__in=actor.team_ids)


class ApiTokenQuerySet(_VisibleQuerySet["ApiToken"]):
    """API tokens; everybody sees their own."""

    reading = Permission.TOKEN_MANAGE

    def _own(self, actor: Actor) -> Q:
        return _person_is(actor, "person__public_id")

    def live(self, now: datetime | None = None) -> Self:
        """Tokens that work now: not revoked, not expired, of a person who is active and not suspended."""
        unexpired = Q(expires_at__isnull=True) | Q(expires_at__gt=now or timezone.now())
        standing = _not_suspended("person_id", "person__public_id")
        return self.filter(unexpired, standing, revoked_at__isnull=True, person__is_active=True)


class ConsoleSessionQuerySet(_VisibleQuerySet["ConsoleSession"]):
    """Sessions of the console; everybody sees their own."""

    reading = Permission.PERSON_MANAGE

    def _own(self, actor: Actor) -> Q:
        return _person_is(actor, "person__public_id")

    def live(self, now: datetime | None = None) -> Self:
        """Sessions that go on: neither out of time nor idle for too long."""
        now = now or timezone.now()
        age, idle = timedelta(seconds=settings.SESSION_COOKIE_AGE), timedelta(minutes=settings.SESSION_IDLE_MINUTES)
        return self.filter(expire_date__gt=now, began_at__gt=now - age, last_seen_at__gt=now - idle)

    def over(self) -> Self:
        """The others."""
        return self.exclude(pk__in=self.model._default_manager.live().values("pk"))  # noqa: SLF001 -- Django's documented name


class RoleQuerySet(_VisibleQuerySet["Role"]):
    """Roles. They belong to no team: whoever may read roles at all reads every one."""

    reading = Permission.ROLE_READ

    def _of_teams(self, actor: Actor) -> Q:
        return ~NOTHING

    def for_agents(self) -> Self:
        """Those that hold MCP scopes and nothing else."""
        return self.filter(scopes__len__gt=0).exclude(scopes__overlap=sorted(PERMISSIONS))

    def named(self, name: str) -> Self:
        """The role with this name, whatever its case."""
        return self.alias(folded=Lower("name")).filter(folded=Lower(models.Value(name)))


class RoleSeparationQuerySet(_VisibleQuerySet["RoleSeparation"]):
    """Which roles are kept apart: whoever reads roles reads it."""

    reading = Permission.ROLE_READ

    def _of_teams(self, actor: Actor) -> Q:
        return ~NOTHING


class AgentQuerySet(_VisibleQuerySet["Agent"]):
    """Agents."""

    reading = Permission.AGENT_READ

    def _of_teams(self, actor: Actor) -> Q:
        return Q(owner_team_id__in=actor.team_ids)

    def with_use(self) -> Self:
        """With `last_used`: when it was last let through to call, list or connect; null: never, as far as known."""
        return self.annotate(last_used=F("use__last_used"))

    def never_used(self) -> Self:
        """Those that were never let through."""
        return self.filter(use__isnull=True)

    def unused_since(self, moment: datetime) -> Self:
        """Those that were registered by `moment` and not let through since."""
        return self.filter(Q(use__isnull=True) | Q(use__last_used__lt=moment), created__lte=moment)

    def get_by_natural_key(self, client_id: str) -> Agent:
        """The toolkit's natural key. Raises `Agent.DoesNotExist`."""
        return self.get(client_id=client_id)


class ConsentQuerySet(_VisibleQuerySet["Consent"]):
    """Consents; everybody sees their own, and whoever manages agents sees those that concern them."""

    reading = Permission.AGENT_MANAGE

    def _own(self, actor: Actor) -> Q:
        return _person_is(actor, "person__public_id")

    def _of_teams(self, actor: Actor) -> Q:
        return Q(agent__owner_team_id__in=actor.team_ids)

    def live(self, now: datetime | None = None) -> Self:
        """Consents that hold now."""
        return self.filter(revoked_at__isnull=True, ends_at__gt=now or timezone.now())


class GrantQuerySet(_VisibleQuerySet["Grant"]):
    """Grants; everybody sees those that reach them."""

    reading = Permission.GRANT_READ

    def _own(self, actor: Actor) -> Q:
        return _person_is(actor, "person__public_id") | Q(team_id__in=actor.team_ids)

    def _of_teams(self, actor: Actor) -> Q:
        return Q(agent__owner_team_id__in=actor.team_ids) | Q(person_id__in=_people_of(actor))

    def live(self, now: datetime | None = None) -> Self:
        """Grants that hold now."""
        unexpired = Q(expires_at__isnull=True) | Q(expires_at__gt=now or timezone.now())
        return self.filter(unexpired, revoked_at__isnull=True)

    def as_live_grants(self) -> models.Prefetch[str]:
        """Those that hold now, for `prefetch_related` of people or agents, as `live_grants` with their roles.

        Who sees a holder need not see what it holds: start from `visible_to` here too.
        """
        return models.Prefetch("grants", self.live().select_related("role"), to_attr="live_grants")

    def counted(self) -> Self:
        """Grants whose use is counted whole: they give MCP scopes and no permission of the console."""
        return self.filter(role__in=apps.get_model("access", "Role").objects.for_agents().order_by().values("pk"))

    def uncounted(self) -> Self:
        """The others: nobody counts what a permission is used for."""
        return self.exclude(role__in=apps.get_model("access", "Role").objects.for_agents().order_by().values("pk"))

    def with_use(self) -> Self:
        """With `last_used`, when a call of a definition was last carried, and `last_connected`."""
        uses = apps.get_model("access", "GrantUse").objects.filter(grant=OuterRef("pk")).order_by("-last_used")
        latest = uses.values("last_used")
        return self.annotate(
            last_used=Subquery(latest.exclude(name="")[:1]), last_connected=Subquery(latest.filter(name="")[:1])
        )

    def unused_since(self, moment: datetime, *, counted_since: datetime) -> Self:
        """Of those that are `counted`, the ones that carried no call since `moment`, longest unused first.

        One that never did counts from when it was given, or from when counting began where that is later.
        """
        begun = Greatest(F("created_at"), Value(counted_since))
        found = self.counted().with_use().annotate(idle_since=Coalesce("last_used", begun))
        return found.filter(idle_since__lt=moment).order_by("idle_since", "pk")

    def ending_by(self, moment: datetime) -> Self:
        """Those that end by `moment`, soonest first."""
        return self.filter(expires_at__lte=moment).order_by("expires_at", "pk")

    def unconditional(self) -> Self:
        """Grants that hold everywhere and always while they are live: only these give permissions of the console."""
        return self.filter(environment="", conditions={})

    def reaching_person(self, person: Person) -> Self:
        """Grants to the person or to a team that they belong to."""
        return self.filter(Q(person=person) | Q(team__memberships__person=person)).distinct()

    def agents_ever_given(self) -> list[int]:
        """Keys of the agents to which anything was ever given, whether it holds or not."""
        return list(self.filter(agent__isnull=False).order_by().values_list("agent_id", flat=True).distinct())

    def unrevoked_rows(self) -> list[dict[str, Any]]:
        """Everything the gateway needs of every grant that was not revoked, in two queries.

        Expired ones are in it too, because whether a grant holds is decided at the time of a call. Roles are read by
        themselves, and those who hold one share its scopes: there are thousands of them, and many grants of a role.
        """
        rows = self.filter(revoked_at__isnull=True)
        roles = apps.get_model("access", "Role").objects.filter(pk__in=rows.order_by().values("role_id")).order_by()
        known = {pk: (name, frozenset(scopes)) for pk, name, scopes in roles.values_list("pk", "name", "scopes")}
        own = ("person_id", "agent_id", "team_id", "role_id", "public_id", "environment", "expires_at", "conditions")
        # The first grant of a role, given between the two, is one of the next revision.
        found = (row for row in rows.order_by("pk").values(*own) if row["role_id"] in known)
        return [dict(zip(("role", "scopes"), known[row["role_id"]], strict=True), **row) for row in found]


class SuspensionQuerySet(_VisibleQuerySet["Suspension"]):
    """What is and was suspended; that everything is, everybody sees who may read any of it."""

    reading = Permission.SUSPENSION_READ

    def _of_teams(self, actor: Actor) -> Q:
        return Q(owner_team__in=actor.team_slugs) | Q(kind="everything")

    def live(self) -> Self:
        """What is suspended now."""
        return self.filter(lifted_at__isnull=True)

    def stopping(self, *, agent: Agent, person: Person | None, resource: str) -> Self:
        """What stops the issuing of a token for `resource` to `agent`, for `person` if there is one."""
        teams = apps.get_model("access", "Team").objects.order_by()
        endpoints = apps.get_model("access", "ProtectedResource").objects.filter(uri=resource)
        stops = Q(kind="everything") | Q(kind="agent", name=agent.client_id)
        stops |= Q(kind="server", name__in=endpoints.values("server_slug"))
        owners = Q(pk=agent.owner_team_id)
        if person is not None:
            stops |= Q(kind="person", name=str(person.public_id))
            owners |= Q(memberships__person=person)
        return self.live().filter(stops | Q(kind="team", name__in=teams.filter(owners).values("slug")))

    def titled(self) -> Self:
        """With `title`, the name that people know: a person's user name, an agent's name, else the name itself."""
        people, agents = apps.get_model("access", "Person").objects, apps.get_model("access", "Agent").objects
        named = people.alias(text=Cast("public_id", models.TextField())).filter(text=OuterRef("name"))
        called = agents.filter(client_id=OuterRef("name"))
        person = models.Case(models.When(kind="person", then=Subquery(named.values("username")[:1])))
        agent = models.Case(models.When(kind="agent", then=Subquery(called.values("name")[:1])))
        return self.annotate(title=Coalesce(person, agent, "name", output_field=models.TextField()))


class PolicyDigestQuerySet(models.QuerySet["PolicyDigest"]):
    """Digests of policy. Nobody is shown them; checks and proofs read them."""

    def last_of(self, part: str) -> PolicyDigest | None:
        """What the last change of `part` left."""
        return self.filter(part=part).order_by("-pk").first()

    def left(self, part: str, beginning: str) -> Self:
        """The changes of `part` that left a digest which begins so."""
        return self.filter(part=part, digest__startswith=beginning)
