"""What the first look found, for deciding: each definition with its own words, findings and risk, worst first."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from django.db.models import F
from django.db.models.functions import Length

from core.actor import Actor
from core.paging import KeyPaginator
from servers.models import Server
from tools.models import DefinitionVersion, Review
from tools.risk import is_incomplete, level
from tools.rules import POLLER
from tools.scanner import Severity

PAGE_SIZE: Final = 100
LOW: Final = "low"  # asked for by `?tick=`
_LOW_LEVELS: Final = ("none", Severity.LOW.value)
_READ_MAX: Final = 20_000  # characters of a definition; its own page shows longer ones
_SHOWN_MAX: Final = 300


def first_look(server: Server, actor: Actor, *, page: str | None, tick: bool, ticked: set[str]) -> dict[str, Any]:
    """A page of the reviews that wait at `server`, each a row; `tick` those of low risk."""
    found = Review.objects.visible_to(actor).waiting().of_server(server)
    ordered = found.order_by(F("version__risk_score").desc(nulls_first=True), "definition__kind", "definition__name")
    shown = KeyPaginator(ordered, Review.objects.for_list(), PAGE_SIZE).get_page(page)
    words = _words([review.version_id for review in shown])
    rows = list(_rows(shown, actor, words, tick=tick, ticked=ticked))
    return {
        "page": shown,
        "by_themselves": [row for row in rows if not row["together"]],
        "together": [row for row in rows if row["together"]],
        "ticked_count": sum(row["ticked"] for row in rows),
        "low_count": sum(row["low"] for row in rows),
    }


def _rows(
    reviews: Iterable[Review], actor: Actor, words: dict[int, str], *, tick: bool, ticked: set[str]
) -> Iterator[dict[str, Any]]:
    for review in reviews:
        findings = list(review.version.findings.all())
        risk = level(review.version.risk_score, findings)
        low = risk in _LOW_LEVELS and not is_incomplete(findings)
        mine = any(str(each.person.public_id) == actor.id for each in review.decisions.all() if each.person)
        together = _may_go_together(review) and not mine
        yield {
            "review": review,
            "findings": findings,
            "words": words.get(review.version_id, ""),
            "low": low and together,
            "mine": mine,
            "together": together,
            "ticked": together and ((tick and low) or str(review.public_id) in ticked),
        }


def _may_go_together(review: Any) -> bool:
    """Whether the service approves it beside others; what it refuses has no box to tick."""
    critical = any(finding.severity == Severity.CRITICAL.value for finding in review.version.findings.all())
    return not critical and not review.rejected_before and review.vantage == POLLER


def _words(versions: list[int]) -> dict[int, str]:
    """How each version describes itself, in short."""
    rows = DefinitionVersion.objects.filter(pk__in=versions).annotate(size=Length("text"))
    found = {}
    for key, text in rows.filter(size__lte=_READ_MAX).order_by().values_list("pk", "text"):
        body = json.loads(text) if text else {}
        said = body.get("description") or body.get("instructions")
        found[key] = said[:_SHOWN_MAX] + ("…" if len(said) > _SHOWN_MAX else "") if isinstance(said, str) else ""
    return found
