"""Lists of approved text: what the caller could use now, in pages, kept until anything that decides it changes.

What a list shows is what is callable and readable (R12), less what the server does not show this class of principals.
A cursor names the list that it continues, so that nobody reads the halves of two different lists.
"""

import base64
import binascii
import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from access.policy import Allowed, Call, decide
from gateway import protocol
from gateway.errors import INVALID_PARAMS
from gateway.exchange import Admitted, invalid
from gateway.snapshot import ServerPart, Shown, Snapshot

PAGE: Final = 1000  # definitions
_KEPT: Final = 256  # lists
_FOREVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ListOf:
    """One list method: the kind it lists, the member of its result, and the method by which an item is used."""

    kind: str
    member: str
    used_by: str


LISTS: Final[Mapping[str, ListOf]] = {
    "prompts/list": ListOf("prompt", "prompts", "prompts/get"),
    "resources/list": ListOf("resource", "resources", "resources/read"),
    "resources/templates/list": ListOf("template", "resourceTemplates", "resources/read"),
    "tools/list": ListOf("tool", "tools", "tools/call"),
}


@dataclass(frozen=True, slots=True)
class _Made:
    """A list, and what it was made of: it holds while these are the very same and `until` has not come.

    `pages` are shared by lists that read the same: a page of a thousand tools has hundreds of kilobytes, and as a rule
    all agents have the same.
    """

    of: ListOf
    identity: Mapping[str, Any]
    server: ServerPart
    grants: object
    ceiling: object
    suspended: object
    shown: Shown
    until: datetime
    digest: str
    bodies: tuple[bytes, ...]
    pages: dict[tuple[bool, int], bytes]

    def reads_as(self, other: "_Made") -> bool:
        """Whether every page of the two is the same."""
        return (
            self.digest == other.digest
            and self.of is other.of
            and self.bodies == other.bodies
            and self.identity == other.identity
        )


class Lists:
    """One process's lists."""

    def __init__(self) -> None:
        self._made: OrderedDict[tuple[Any, ...], _Made] = OrderedDict()

    def page(self, admitted: Admitted) -> bytes:
        """The result of a list request. Raises `Refused` for a cursor that is none of this list's."""
        of = LISTS[admitted.request.method]
        made = self._current(admitted, of)
        cursor = admitted.request.params.get("cursor")
        start = 0 if cursor is None else _offset(cursor, made)
        key = (admitted.wire.modern, start)
        if key not in made.pages:
            made.pages[key] = _rendered(made, of, admitted, start)
        return made.pages[key]

    def digest(self, admitted: Admitted, method: str) -> str:
        """What tells one state of the caller's list from another."""
        return self._current(admitted, LISTS[method]).digest

    def _current(self, admitted: Admitted, of: ListOf) -> _Made:
        token, server = admitted.token, admitted.server
        principal, now = admitted.snapshot.access.principal(token), admitted.exchange.now
        standing = principal.standing(now, admitted.exchange.head.client_ip)
        key = (of.kind, server.facts.slug, token.agent, token.person, token.scopes, standing)
        made = self._made.get(key)
        if (
            made is None
            or made.server is not server
            or made.grants is not principal.grants
            or made.ceiling is not principal.ceiling
            or made.suspended is not admitted.snapshot.access.suspended
            or made.shown != admitted.shown
            or made.until <= now
        ):
            self._forget_former(admitted.snapshot)
            made = self._made[key] = self._sharing(_make(admitted, of))
            if len(self._made) > _KEPT:
                self._made.popitem(last=False)
        self._made.move_to_end(key)
        return made

    def _forget_former(self, snapshot: Snapshot) -> None:
        """What was made of a former state of a server is never shown again, and would keep all of that state."""
        servers = snapshot.servers
        former = [key for key, made in self._made.items() if servers.get(made.server.facts.slug) is not made.server]
        for key in former:
            del self._made[key]

    def _sharing(self, made: _Made) -> _Made:
        """The same list with the pages of one that reads as it does, where there is one."""
        for other in self._made.values():
            if other.reads_as(made):
                return replace(made, bodies=other.bodies, pages=other.pages)
        return made


def _make(admitted: Admitted, of: ListOf) -> _Made:
    exchange = admitted.exchange
    facts = admitted.snapshot.facts(admitted.token, admitted.server.facts.slug, exchange.head.client_ip)
    now = exchange.now
    usable = [
        each
        for each in admitted.server.of_kind(of.kind, admitted.shown)
        if each.body and isinstance(decide(Call(of.used_by, each.facts, intention=True), facts, now), Allowed)
    ]
    ends = [each.expires_at for each in (*facts.principal.grants, *(facts.principal.ceiling or ()))]
    ends += [each.facts.expires_at for each in admitted.server.of_kind(of.kind)]
    ends += [admitted.server.facts.trusted_until, admitted.card.expires_at]
    digest = hashlib.sha256("\n".join(f"{each.facts.name}\0{each.facts.digest}" for each in usable).encode())
    return _Made(
        of=of,
        identity=admitted.card.identity,
        server=admitted.server,
        grants=facts.principal.grants,
        ceiling=facts.principal.ceiling,
        suspended=admitted.snapshot.access.suspended,
        shown=admitted.shown,
        until=min((end for end in ends if end is not None and end > now), default=_FOREVER),
        digest=digest.hexdigest()[:16],
        bodies=tuple(each.body for each in usable),
        pages={},
    )


def _rendered(made: _Made, of: ListOf, admitted: Admitted, start: int) -> bytes:
    end = start + PAGE
    cursor = _cursor(made, end) if end < len(made.bodies) else None
    return protocol.list_result(of.member, made.bodies[start:end], admitted.wire, admitted.card.identity, cursor)


def _cursor(made: _Made, offset: int) -> str:
    return base64.urlsafe_b64encode(f"{made.digest}.{offset}".encode()).decode()


def _offset(cursor: Any, made: _Made) -> int:
    try:
        digest, _, offset = base64.b64decode(cursor, altchars=b"-_", validate=True).decode("ascii").partition(".")
    except (binascii.Error, TypeError, ValueError) as error:
        raise invalid("Invalid cursor", code=INVALID_PARAMS) from error
    fits = digest == made.digest and offset.isdecimal() and len(offset) < 10
    # Where pages begin and nowhere else: they are kept, and a caller can make cursors up.
    if not fits or not 0 < int(offset) < len(made.bodies) or int(offset) % PAGE:
        raise invalid("Invalid cursor", code=INVALID_PARAMS)
    return int(offset)
