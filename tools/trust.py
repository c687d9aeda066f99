"""Whether a server as a whole may be served from: whether it is still the one whose definitions were approved.

Its card says who it is, where it is and who authorizes for it. A change of those withholds everything, whatever is
approved of its single definitions, and whether the poller is told so or agents are.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from servers.models import Server
from servers.surface import CARD_NAME, Kind
from tools.classify import classify, withholds_server
from tools.models import Definition, Pin, Sighting
from tools.querysets import ServedRow
from tools.rules import PinEnd


@dataclass(frozen=True, slots=True)
class Trust:
    """Whether the server is withheld, and until when only an emergency keeps it from that."""

    withheld: bool = False
    until: datetime | None = None

    def is_withheld(self, now: datetime) -> bool:
        """Whether nothing is served at `now`."""
        return self.withheld or (self.until is not None and self.until <= now)


def trust_in(server: Server, card: ServedRow | None) -> Trust:
    """What the server's card, as it is served, says of the server."""
    return trusts([(server, card)])[server.pk]


def trusts(cards: Iterable[tuple[Server, ServedRow | None]]) -> dict[int, Trust]:
    """The same for many servers, by key, in three queries at most."""
    shown = list(cards)
    judged = [(server, card) for server, card in shown if card is not None]
    others = _are_another(judged)
    others |= _are_another_to_agents([each for each in judged if each[0].pk not in others])
    found = {server.pk: Trust() for server, _ in shown}
    for server, card in judged:
        is_another = server.pk in others
        if card.on_glass and card.served:
            found[server.pk] = Trust(until=card.expires_at if is_another else None)
        else:
            found[server.pk] = Trust(withheld=is_another)
    return found


def is_withheld(server: Server) -> bool:
    """The same for a page, read now."""
    cards = Definition.objects.filter(server=server, kind=Kind.CARD.value, name=CARD_NAME)
    return trust_in(server, next(cards.served_rows(), None)).is_withheld(timezone.now())


def _are_another(shown: Iterable[tuple[Server, ServedRow]]) -> set[int]:
    """Those whose identity, endpoint or authorization differ from what was approved.

    A card that nobody approved yet has nothing to differ from, unless the endpoint moved after other definitions
    were approved: then only an approval of the card says that the new place is meant. An approval that was withdrawn
    says that this is not the server that was meant, until one is approved again.
    """
    unapproved = [server for server, card in shown if not card.pin_digest]
    moved = {server.pk for server in unapproved if server.endpoint_changed_by_id is not None}
    changed = {server.pk: card for server, card in shown if card.pin_digest and card.observed_digest != card.pin_digest}
    cards = Definition.objects.filter(server__in=changed, kind=Kind.CARD.value, name=CARD_NAME).order_by()
    texts = cards.values_list("server_id", "observed__text") if changed else ()
    withdrawn = _withdrawn({server.pk for server in unapproved} - moved)
    return moved | withdrawn | {server for server, text in texts if _differs(changed[server], text)}


def _are_another_to_agents(shown: Iterable[tuple[Server, ServedRow]]) -> set[int]:
    """Those of which some class of principals was told that they are another, and nobody explained it."""
    held = {server.pk: card for server, card in shown if not card.served and card.pin_digest}
    if not held:
        return set()
    against = Sighting.objects.withholding().filter(definition__kind=Kind.CARD.value, definition__server__in=held)
    texts = against.values_list("definition__server_id", "version__text")
    return {server for server, text in texts if _differs(held[server], text)}


def _differs(card: ServedRow, text: str | None) -> bool:
    return withholds_server(classify(Kind.CARD, json.loads(card.pin_text), json.loads(text or "{}")).classes)


def _withdrawn(servers: set[int]) -> set[int]:
    """Those of whose cards the last approval was withdrawn."""
    if not servers:
        return set()
    pins = Pin.objects.filter(definition__server__in=servers, definition__kind=Kind.CARD.value)
    last = pins.order_by("definition__server_id", "-pk").distinct("definition__server_id")
    ended = last.values_list("definition__server_id", "ended_reason")
    return {server for server, reason in ended if reason == PinEnd.WITHDRAWN.value}
