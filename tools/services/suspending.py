"""Suspending anything by the name that people know: servers and definitions are known here, the rest in `access`."""

from typing import Final

from access.models import Suspension
from access.services import Target, target_of
from access.services import suspend as suspend_target
from access.suspended import SuspensionKind, split_definition
from core.actor import Actor
from core.errors import Invalid, NotFound
from core.names import is_slug, subject
from servers.models import Server
from servers.surface import Kind
from tools.models import Definition

_KINDS: Final = tuple(kind.value for kind in SuspensionKind)
_FORM: Final = "Name a definition by kind and canonical name, for example tool:files/read."


def suspend(*, kind: str, name: str, actor: Actor, reason: str) -> Suspension:
    """Stop a server, a definition, an agent, a person, a team or everything at every gateway.

    Raises `Invalid` (no such kind, no reason), `NotFound`, `PermissionDenied`, `Conflict` (suspended already).
    """
    if kind not in _KINDS:
        raise Invalid(f"Use one of: {', '.join(_KINDS)}.", field="kind")
    if not _is_storable(name):
        raise Invalid("This is no text.", field="name")
    return suspend_target(target=_target(SuspensionKind(kind), name, actor), actor=actor, reason=reason)


def _is_storable(name: str) -> bool:
    """Whether PostgreSQL takes it: no NUL, and no lone surrogates, which a shell's bytes become."""
    try:
        return b"\0" not in name.encode()
    except UnicodeEncodeError:
        return False


def _target(kind: SuspensionKind, name: str, actor: Actor) -> Target:
    if kind is SuspensionKind.SERVER:
        server = _server(name, actor)
        return Target(kind, server.slug, subject("server", server.slug), server.owner_team)
    if kind is SuspensionKind.DEFINITION:
        return _definition(name, actor)
    return target_of(kind=kind, name=name)


def _definition(name: str, actor: Actor) -> Target:
    parts = split_definition(name)
    if parts is None:
        raise Invalid(_FORM, field="name")
    kind, slug, own = parts
    if kind == Kind.CARD.value:
        raise Invalid("A server's card cannot be called: suspend the server.", field="name")
    server = _server(slug, actor)
    if not Definition.objects.filter(server=server, kind=kind, name=own).exists():
        raise NotFound(f"The server '{slug}' never showed '{name[:80]}'.", field="name")
    return Target(SuspensionKind.DEFINITION, name, subject(kind, slug, own), server.owner_team)


def _server(slug: str, actor: Actor) -> Server:
    visible = Server.objects.visible_to(actor).select_related("owner_team")
    found = visible.filter(slug=slug).first() if is_slug(slug) else None
    if found is None:
        raise NotFound(f"There is no server '{slug[:80]}'.", field="name")
    return found
