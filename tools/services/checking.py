"""Rules over a server: how it is reached, what it asks clients for, and its tools taken together.

What they find says how the server is now, so it comes and goes. It never keeps a server from being registered, looked
at or served, and a failure here costs nobody the observation. What nobody knows yet (whether a server that was never
looked at asks for a token) is not judged.
"""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from django.db import transaction

from servers.models import Server
from servers.rules import ServerState
from servers.surface import Kind, Problem, Surface
from tools.models import Definition, ServerFinding
from tools.scanner import Found, Item
from tools.scanner.guarded import look

logger = logging.getLogger(__name__)
_READ_AT_ONCE: Final = 50  # texts
_WRITTEN: Final = ["severity", "confidence", "evidence"]
Body = Mapping[str, Any]


def check_server(server: Server, surface: Surface | None = None, *, complete: bool = False) -> None:
    """Bring the findings of a server in line with what is known of it. The caller holds the lock on its row.

    `surface` is what was just seen; unless it is `complete`, the tools are those of the last complete look.
    """
    try:
        with transaction.atomic():
            tools = _tools_in(surface) if surface is not None and complete else _tools_of(server)
            _keep(server, look(Item(_told(server, surface, tools), "server", server.slug)).findings)
    except Exception:
        logger.exception("server %s could not be checked", server.slug)


def check_server_now(*, slug: str) -> bool:
    """The same after somebody registered or changed it; answers whether there is such a server."""
    with transaction.atomic():
        server = Server.objects.select_for_update(of=("self",)).filter(slug=slug).first()
        if server is not None:
            check_server(server)
    return server is not None


def _told(server: Server, surface: Surface | None, tools: Iterable[Body]) -> Body:
    """What is known, in the form of a client's configuration, which the rules read."""
    card = next((item.body for item in surface.items if item.kind is Kind.CARD), None) if surface else _card_of(server)
    return {
        "url": server.url,
        "environment": server.environment,
        "tools": list(tools),
        **_authentication(server, card, surface),
    }


def _authentication(server: Server, card: Body | None, surface: Surface | None) -> Body:
    if isinstance(asked := (card or {}).get("authorization"), Mapping):
        return {"oauth": {"scopes": _scopes(asked)}}
    if server.last_error_class == Problem.NEEDS_CREDENTIALS.value:
        return {"auth": True}
    looked_at = surface is not None or server.state != ServerState.REGISTERED.value
    return {} if card is not None and looked_at else {"auth": "unknown"}


def _scopes(asked: Body) -> list[str]:
    """What a client asks for: what the challenge says, or else all that the resource's metadata name."""
    if isinstance(scope := asked.get("scope"), str) and scope.strip():
        return scope.split()
    metadata = asked.get("metadata")
    named = metadata.get("scopes_supported") if isinstance(metadata, Mapping) else None
    return [each for each in named if isinstance(each, str)] if isinstance(named, list) else []


def _card_of(server: Server) -> Body | None:
    cards = Definition.objects.filter(server=server, kind=Kind.CARD.value, present=True, observed__isnull=False)
    text = cards.values_list("observed__text", flat=True).first()
    return json.loads(text) if text else None


def _tools_in(surface: Surface) -> Iterator[Body]:
    return (_tool(item.name, item.body) for item in surface.items if item.kind is Kind.TOOL)


def _tools_of(server: Server) -> Iterator[Body]:
    shown = Definition.objects.filter(server=server, kind=Kind.TOOL.value, present=True, observed__isnull=False)
    rows = shown.order_by("pk").values_list("name", "observed__text")
    return (_tool(name, json.loads(text) if text else {}) for name, text in rows.iterator(chunk_size=_READ_AT_ONCE))


def _tool(name: str, body: Body) -> Body:
    return {"name": name, "annotations": body.get("annotations")}


def _keep(server: Server, findings: Iterable[Found]) -> None:
    """What is found again keeps the time at which it was found first."""
    before = {(row.rule, row.field): row for row in ServerFinding.objects.filter(server=server)}
    now = {(found.rule, found.field): found for found in findings}
    gone = [row.pk for key, row in before.items() if key not in now]
    changed = [row for key, row in before.items() if key in now and _assign(row, now[key])]
    if gone:
        ServerFinding.objects.filter(pk__in=gone).delete()
    if changed:
        ServerFinding.objects.bulk_update(changed, _WRITTEN)
    new = [ServerFinding(server=server, rule=rule, field=field) for rule, field in now if (rule, field) not in before]
    for row in new:
        _assign(row, now[row.rule, row.field])
    ServerFinding.objects.bulk_create(new)


def _assign(row: ServerFinding, found: Found) -> bool:
    """Whether it says something else than before."""
    before = [getattr(row, name) for name in _WRITTEN]
    row.severity, row.confidence, row.evidence = found.severity.value, found.confidence.value, found.evidence
    return before != [getattr(row, name) for name in _WRITTEN]
