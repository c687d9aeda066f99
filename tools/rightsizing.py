"""What was given and is not used: grants, the scopes of roles, and roles wider than their use (docs/access.md).

Reads what `tools.services.using` counted. A role is judged by all its grants, so roles are judged only for who sees
every grant, role and definition; others see their own grants.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, overload

from django.db import connection
from django.db.models import Count, Min, Q
from django.utils import timezone

from access.models import Grant, Role, UseCursor
from access.models.uses import USES
from access.names import SCOPES_MAX
from access.querysets import GrantQuerySet, RoleQuerySet
from access.sizing import (
    SCOPES_TARGET,
    RoleUse,
    Sizing,
    Through,
    scopes_that_reach,
    sized,
    wildcard_servers,
)
from audit.models import Leaf
from core.actor import Actor
from core.permissions import Permission
from core.scopes import call_scope, read_scope, scope_server, scope_tool
from servers.surface import Kind
from tools.models import Definition

NEEDED: Final = (Permission.GRANT_READ, Permission.ROLE_READ, Permission.TOOL_READ)
DAYS_MAX: Final = 3650
_UNNAMED: Final = ""  # of a tool that no scope names
ENDING: Final = timedelta(days=14)
# By role, server and kind: what was used through scopes of its own (`named`) or not, and how much of it is there still.
# In SQL, because roles are arrays of up to a thousand scopes, to be opened once and not for each use.
_USES: Final = """
WITH used AS MATERIALIZED (
    SELECT DISTINCT held.role_id, used.server, used.kind, used.name, used.scope
    FROM access_grantuse used JOIN access_grant held ON held.id = used.grant_id
    JOIN unnest(%(grants)s::bigint[]) AS live(id) ON live.id = held.id
    WHERE used.last_used >= %(moment)s
), own AS MATERIALIZED (
    SELECT role.id AS role_id, own.scope FROM access_role role, unnest(role.scopes) AS own(scope)
    WHERE role.id = ANY(%(roles)s)
)
SELECT used.role_id, used.server, used.kind, own.scope IS NOT NULL, count(there.id),
    array_agg(used.scope) FILTER (WHERE own.scope IS NOT NULL OR there.id IS NOT NULL)
FROM used
LEFT JOIN own ON own.role_id = used.role_id AND own.scope = used.scope
LEFT JOIN servers_server server ON server.slug = used.server
LEFT JOIN tools_definition there ON there.server_id = server.id AND there.kind = used.kind AND there.name = used.name
    AND there.present AND NOT there.sensitive
GROUP BY 1, 2, 3, 4
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """Since when use is counted (None: not yet), and how many places of the log are still to be read."""

    since: datetime | None
    to_read: int


@dataclass(frozen=True, slots=True)
class SizedRole:
    """A role that somebody holds. `sizing` is None while it is too young: given, changed or counted for fewer days."""

    role: Role
    grants: int
    sizing: Sizing | None
    wildcard: tuple[str, ...]

    @property
    def is_wide(self) -> bool:
        """Whether there is anything to say of it."""
        return bool(self.wildcard or (self.sizing and (self.sizing.unused or self.sizing.wide)))


@dataclass(frozen=True, slots=True)
class PerTool:
    """How many scopes of roles that are held reach a served tool: for how many tools how many."""

    tools: Mapping[int, int]
    target: int = SCOPES_TARGET

    @property
    def count(self) -> int:
        """The served tools."""
        return sum(self.tools.values())

    @property
    def average(self) -> float | None:
        """Their average; None where nothing is served."""
        return sum(n * tools for n, tools in self.tools.items()) / self.count if self.count else None


class Judged(Sequence[SizedRole]):
    """Roles, of which those that are asked for are compared with their use: what all of them did takes long to read."""

    def __init__(self, roles: Sequence[Any], judge: Callable[[Sequence[Any]], list[SizedRole]], known: list[SizedRole]):
        self._roles, self._judge = roles, judge
        self._known = {each.role.pk: each for each in known}

    def __len__(self) -> int:
        """How many there are."""
        return len(self._roles)

    @overload
    def __getitem__(self, at: int) -> SizedRole: ...
    @overload
    def __getitem__(self, at: slice) -> list[SizedRole]: ...
    def __getitem__(self, at: int | slice) -> SizedRole | list[SizedRole]:
        """Some of them, judged now unless they are known."""
        chosen = self._roles[at] if isinstance(at, slice) else [self._roles[at]]
        unknown = [role for role in chosen if role.pk not in self._known]
        self._known.update({each.role.pk: each for each in (self._judge(unknown) if unknown else ())})
        found = [self._known[role.pk] for role in chosen]
        return found if isinstance(at, slice) else found[0]


@dataclass(frozen=True, slots=True)
class Roles:
    """What is said of roles: those about which there is something, how many were held and how many too young.

    `count_per_tool` asks of every tool what agents get, so it is asked by who wants it.
    """

    found: Sequence[SizedRole]
    held: int
    young: int
    count_per_tool: Callable[[], PerTool]


@dataclass(frozen=True, slots=True)
class Report:
    """All of it, as one actor sees it. `uncounted`: live grants whose use is not counted whole. `roles`: see above."""

    days: int
    moment: datetime
    counted: Counted
    unused: GrantQuerySet
    ending: GrantQuerySet
    live: int
    uncounted: int
    roles: Roles | None


def report(actor: Actor, *, days: int) -> Report:
    """What was not used for `days` days."""
    now = timezone.now()
    moment, counted = now - timedelta(days=days), _counted()
    live = Grant.objects.visible_to(actor).live(now)
    related = live.select_related("role", "person", "agent__owner_team", "team", "granted_by")
    whole = all(actor.may(permission) for permission in NEEDED)
    return Report(
        days=days,
        moment=moment,
        counted=counted,
        unused=related.unused_since(moment, counted_since=counted.since or now),
        ending=related.with_use().ending_by(now + ENDING),
        live=live.count(),
        uncounted=live.uncounted().count(),
        roles=_roles(actor, live, moment, counted) if whole else None,
    )


def sized_roles(actor: Actor, roles: RoleQuerySet, *, days: int) -> list[SizedRole]:
    """Those of `roles` that somebody holds, compared with their use. For who may see all that `NEEDED` names."""
    now = timezone.now()
    live = Grant.objects.visible_to(actor).live(now)
    return _sized(_offered(actor), live, now - timedelta(days=days), _counted(), _held(roles, live))


def _counted() -> Counted:
    cursor = UseCursor.objects.filter(name=USES).first()
    head = Leaf.objects.head()
    return Counted(None, head + 1) if cursor is None else Counted(cursor.since, head - cursor.index)


def _roles(actor: Actor, live: GrantQuerySet, moment: datetime, counted: Counted) -> Roles:
    held, judge = _held(Role.objects.visible_to(actor), live), partial(_sized, _offered(actor), live, moment, counted)
    # Of a role with a wildcard there is something to say whatever was used, and such roles are used the most.
    known = judge([role for role in held if not wildcard_servers(role.scopes)])
    wide = {each.role.pk for each in known if each.is_wide}
    return Roles(
        found=Judged([role for role in held if role.pk in wide or wildcard_servers(role.scopes)], judge, known),
        held=len(held),
        young=sum(not _is_old(role, moment, counted) for role in held),
        count_per_tool=partial(_per_tool, actor, {scope for role in held for scope in role.scopes}),
    )


def _per_tool(actor: Actor, scopes: set[str]) -> PerTool:
    # Most tools are named by no scope, and of a server these are alike: they are counted where they are.
    own = {(slug, name) for scope in scopes if (slug := scope_server(scope)) and (name := scope_tool(scope))}
    found, reaching = Counter[int](), partial(scopes_that_reach, scopes=scopes)
    for slug, sensitive, count, names in Definition.objects.visible_to(actor).served_tools(own):
        found[reaching(slug, _UNNAMED, sensitive=sensitive)] += count - len(names)
        found.update(reaching(slug, name, sensitive=sensitive) for name in names)
    return PerTool(+found)


def _held(roles: RoleQuerySet, live: GrantQuerySet) -> list[Any]:
    """Those that somebody holds, by name, with how many grants give them (`held`) and since when (`given`)."""
    holding = Q(grants__in=live.order_by().values("pk"))
    held: Any = roles.annotate(held=Count("grants", filter=holding), given=Min("grants__created_at", filter=holding))
    return list(held.filter(held__gt=0).order_by("name"))


def _sized(
    offered: dict[str, int], live: GrantQuerySet, moment: datetime, counted: Counted, held: Sequence[Any]
) -> list[SizedRole]:
    keys = [role.pk for role in held]
    uses = _uses(live.filter(role__in=keys).order_by(), keys, moment)
    return [
        SizedRole(
            role,
            role.held,
            sized(role.scopes, uses.get(role.pk, RoleUse()), offered) if _is_old(role, moment, counted) else None,
            wildcard_servers(role.scopes),
        )
        for role in held
    ]


def _is_old(role: Any, moment: datetime, counted: Counted) -> bool:
    """Whether somebody could have used all of it for as long as is asked about."""
    return counted.since is not None and max(role.given, role.updated_at, counted.since) < moment


def _offered(actor: Actor) -> dict[str, int]:
    found: Counter[str] = Counter()
    for (slug, kind), count in Definition.objects.visible_to(actor).offered().items():
        found[_broad(slug, kind)] += count
    return found


def _uses(grants: GrantQuerySet, roles: list[int], moment: datetime) -> dict[int, RoleUse]:
    """By key of the role. What the role names by its own scope was used through that, not through a broad one."""
    keys = list(grants.values_list("pk", flat=True))
    connected: set[int] = set()
    named: defaultdict[int, set[str]] = defaultdict(set)
    through: defaultdict[int, dict[str, Through]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(_USES, {"grants": keys, "roles": roles, "moment": moment})
        for role, slug, kind, is_named, count, scopes in cursor:
            connected.add(role)
            if is_named:
                named[role].update(scopes)
            elif kind:
                broad = _broad(slug, kind)
                before = through[role].get(broad, Through(0, ()))
                through[role][broad] = Through(
                    before.count + count, (*before.scopes, *sorted(scopes or ())[:SCOPES_MAX])
                )
    return {role: RoleUse(connected=True, named=frozenset(named[role]), through=through[role]) for role in connected}


def _broad(slug: str, kind: str) -> str:
    return call_scope(slug) if kind == Kind.TOOL.value else read_scope(slug)
