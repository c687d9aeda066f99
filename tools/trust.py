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
    if card is None:
        return Trust()
    is_another = _is_another(server, card) or _is_another_to_agents(server, card)
    if card.on_glass and card.served:
        return Trust(until=card.expires_at if is_another else None)
    return Trust(withheld=is_another)


def is_withheld(server: Server) -> bool:
    """The same for a page, read now."""
    cards = Definition.objects.filter(server=server, kind=Kind.CARD.value, name=CARD_NAME)
    return trust_in(server, next(cards.served_rows(), None)).is_withheld(timezone.now())


def _is_another(server: Server, card: ServedRow) -> bool:
    """Whether identity, endpoint or authorization differ from what was approved.

    A card that nobody approved yet has nothing to differ from, unless the endpoint moved after other definitions
    were approved: then only an approval of the card says that the new place is meant. An approval that was withdrawn
    says that this is not the server that was meant, until one is approved again.
    """
    if not card.pin_digest:
        return server.endpoint_changed_by_id is not None or _was_withdrawn(server)
    if card.observed_digest == card.pin_digest:
        return False
    cards = Definition.objects.filter(server=server, kind=Kind.CARD.value, name=CARD_NAME)
    return _differ(card, cards.values_list("observed__text", flat=True))


def _is_another_to_agents(server: Server, card: ServedRow) -> bool:
    """Whether some class of principals was told that the server is another, and nobody explained it."""
    if card.served or not card.pin_digest:
        return False
    against = Sighting.objects.of_server(server).withholding().filter(definition__kind=Kind.CARD.value)
    return _differ(card, against.values_list("version__text", flat=True))


def _differ(card: ServedRow, shown: Iterable[str | None]) -> bool:
    approved = json.loads(card.pin_text)
    return any(withholds_server(classify(Kind.CARD, approved, json.loads(text or "{}")).classes) for text in shown)


def _was_withdrawn(server: Server) -> bool:
    pins = Pin.objects.filter(definition__server=server, definition__kind=Kind.CARD.value).order_by("-pk")
    return pins.values_list("ended_reason", flat=True).first() == PinEnd.WITHDRAWN.value
