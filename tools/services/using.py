"""Counting what grants are used for, and which agents: from the audit log, behind the calls, never before them.

The cursor's row is locked for a batch and moves in the transaction that holds the batch's counts: no record is counted
twice, whoever runs this as well or dies over it. Records that name no grant, as releases before this one wrote them,
are passed over. It stands here and not in `access` because records name a version's digest, and a resource's URI may
be any that a template gives: which definition that is, only these tables know.
"""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction

from access.models import Grant, UseCursor
from access.models.uses import USES
from access.rules import Rule
from audit.events import Event
from audit.models import Leaf, Record
from core.scopes import CONNECT, definition_scope
from servers.days import note_calls
from servers.surface import Kind
from tools.models import DefinitionVersion

_BATCH: Final = 2000
_GRANT: Final = "grant:"
# One record for each thing that a grant carried: a call's outcome says nothing that its intent did not.
_CARRIED: Final = (Event.CALL_INTENDED, Event.REQUEST_ANSWERED, Event.CONNECTION_OPENED)
_ADD: Final = """
INSERT INTO access_grantuse (grant_id, server, kind, name, scope, first_used, last_used, calls)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[],
                     %s::timestamptz[], %s::timestamptz[], %s::bigint[])
ON CONFLICT (grant_id, server, kind, name) DO UPDATE SET
    calls = access_grantuse.calls + excluded.calls,
    first_used = LEAST(access_grantuse.first_used, excluded.first_used),
    last_used = GREATEST(access_grantuse.last_used, excluded.last_used)
"""


_LAST: Final = """
INSERT INTO access_agentuse (agent_id, last_used)
SELECT agent.id, of.used FROM unnest(%s::text[], %s::timestamptz[]) AS of (name, used)
JOIN access_agent AS agent ON agent.client_id = of.name ORDER BY agent.id
ON CONFLICT (agent_id) DO UPDATE SET last_used = GREATEST(access_agentuse.last_used, excluded.last_used)
"""


@dataclass(frozen=True, slots=True)
class _Carried:
    """What one record says: which grants carried what, and when. No `digest`: connecting, or a list."""

    grants: tuple[UUID, ...]
    server: str
    digest: str
    time: datetime


Thing = tuple[int, str, str, str]  # the grant's key, server, kind, name


def count_uses(*, seconds: float = 5.0) -> int:
    """Follow the log for at most about `seconds`; answers how many places were read."""
    deadline = time.monotonic() + seconds
    UseCursor.objects.get_or_create(name=USES)
    read = 0
    while time.monotonic() < deadline:
        count = _count_batch()
        if not count:
            break
        read += count
    return read


def _count_batch() -> int:
    with transaction.atomic():
        cursor = UseCursor.objects.select_for_update(skip_locked=True).filter(name=USES).first()
        if cursor is None:
            return 0
        leaves = list(Leaf.objects.after(cursor.index).values_list("shard", "record_id", "index")[:_BATCH])
        if not leaves:
            return 0
        shards, ids = {shard for shard, _, _ in leaves}, [record_id for _, record_id, _ in leaves]
        allowed = _allowed(shards, ids)
        carried = list(_carried(allowed))
        _add(carried)
        _note_agents(allowed)
        note_calls(_ended(shards, ids))
        cursor.index = leaves[-1][2]
        cursor.since = min([cursor.since, *(each.time for each in carried)])
        cursor.save(update_fields=["index", "since"])
        return len(leaves)


def _allowed(shards: set[int], ids: list[UUID]) -> list[tuple[Any, ...]]:
    allowed = Record.objects.filter(
        shard__in=shards, id__in=ids, decision="allowed", event__in=[event.value for event in _CARRIED]
    )
    return list(allowed.values_list("rule_ids", "server", "tool_hash", "time", "agent"))


def _carried(allowed: list[tuple[Any, ...]]) -> Iterable[_Carried]:
    for rules, server, digest, moment, _agent in allowed:
        grants = tuple(found for rule in rules if (found := _grant_named(rule)) is not None)
        if grants:
            yield _Carried(grants, server, digest if Rule.ALLOW_DEFINITION.value in rules else "", moment)


def _note_agents(allowed: list[tuple[Any, ...]]) -> None:
    """When each agent was last let through; records of what is no agent, or none any more, are passed over."""
    last: dict[str, datetime] = {}
    for _rules, _server, _digest, moment, agent in allowed:
        last[agent] = max(last.get(agent, moment), moment)
    if last:
        with connection.cursor() as cursor:
            cursor.execute(_LAST, [list(last), list(last.values())])


def _ended(shards: set[int], ids: list[UUID]) -> Iterable[tuple[str, datetime, int]]:
    """Server, time and duration of the calls that were answered."""
    answered = Record.objects.filter(
        shard__in=shards, id__in=ids, event=Event.CALL_COMPLETED, kind=Kind.TOOL.value, latency_ms__isnull=False
    )
    for server, moment, latency_ms in answered.values_list("server", "time", "latency_ms"):
        if latency_ms is not None:
            yield server, moment, latency_ms


def _grant_named(rule: str) -> UUID | None:
    if not rule.startswith(_GRANT):
        return None
    try:
        return UUID(rule.removeprefix(_GRANT))
    except ValueError:
        return None


def _add(carried: list[_Carried]) -> None:
    keys = dict(Grant.objects.filter(public_id__in={one for each in carried for one in each.grants})
                .values_list("public_id", "pk"))  # fmt: skip
    names = _names(carried)
    calls: Counter[Thing] = Counter()
    first: dict[Thing, datetime] = {}
    last: dict[Thing, datetime] = {}
    for each in carried:
        kind, name = names.get((each.server, each.digest), ("", ""))
        if each.digest and not name:
            continue  # a definition that nobody knows: there is none
        for one in each.grants:
            if one in keys:
                thing = (keys[one], each.server, kind, name)
                calls[thing] += 1
                first[thing] = min(first.get(thing, each.time), each.time)
                last[thing] = max(last.get(thing, each.time), each.time)
    # In one order, or two that count at once after a failed lock could wait for each other.
    rows = [(*thing, _scope(*thing[1:]), first[thing], last[thing], calls[thing]) for thing in sorted(calls)]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_ADD, [list(column) for column in zip(*rows, strict=True)])


def _names(carried: list[_Carried]) -> dict[tuple[str, str], tuple[str, str]]:
    """Kind and name of the definition at a server that had a version of this digest."""
    versions = DefinitionVersion.objects.filter(
        digest__in={each.digest for each in carried if each.digest},
        definition__server__slug__in={each.server for each in carried},
    )
    found: Any = versions.values_list("definition__server__slug", "digest", "definition__kind", "definition__name")
    return {(server, digest): (kind, name) for server, digest, kind, name in found}


def _scope(server: str, kind: str, name: str) -> str:
    return definition_scope(server, kind, name) if name else CONNECT
