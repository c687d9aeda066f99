"""Who a server says that it is, by its card as it was seen last."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from core.actor import Actor
from servers.models import Server
from servers.surface import Kind
from tools.models import Definition


@dataclass(frozen=True, slots=True)
class Identity:
    """What a card says, in the server's own words; each may be empty. `card` is the card's public id."""

    card: UUID
    name: str = ""
    title: str = ""
    version: str = ""


def identity_of(server: Server, actor: Actor) -> Identity | None:
    """The identity of a server; None where it has shown no card, or its text is gone, or for who may not see it."""
    cards = Definition.objects.visible_to(actor).filter(server=server, kind=Kind.CARD.value).order_by()
    found = cards.values_list("public_id", "observed__text").first()
    said = json.loads(found[1] or "{}") if found else {}
    info = said.get("serverInfo") if isinstance(said, dict) else None
    if not found or not isinstance(info, dict):
        return None
    return Identity(found[0], **{name: _words(info.get(name)) for name in ("name", "title", "version")})


def _words(value: Any) -> str:
    return value if isinstance(value, str) else ""
