"""What one reader may do about one review, so that a page hides what the service would refuse and says why.

The rules are `tools.rules`'; `services.decide_review` and the database's triggers ask them again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from django.db.models import Exists, OuterRef, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _

from core.actor import Actor
from core.permissions import Permission
from servers.models import Server
from servers.rules import Environment
from tools.models import Definition, DefinitionVersion, Pin, Review, ReviewDecision
from tools.rules import POLLER, PinEnd, ReviewState, Verdict
from tools.scanner import Severity
from tools.services.closing import counts, given, needed


@dataclass(frozen=True, slots=True)
class Standing:
    """`given` of `needed` voices; in words where two are needed (`eyes`).

    `why` says what keeps the reader from deciding, or from more than rejecting.

    What everybody is shown is approved, what only some are shown is dismissed; either may be rejected.
    """

    given: int
    needed: int
    may_decide: bool = False
    may_approve: bool = False
    may_dismiss: bool = False
    may_break_glass: bool = False
    may_reopen: bool = False
    may_withdraw: bool = False
    may_return: bool = False
    needs_second_factor: bool = False
    why: str = ""
    eyes: str = ""


def standing(review: Review, decisions: Sequence[ReviewDecision], actor: Actor) -> Standing:
    """The reader's standing; `review` comes with its definition and server, `decisions` with people and policies."""
    server = review.definition.server
    found = Standing(given(review, decisions), needed(server, review))
    may_decide = actor.may(Permission.REVIEW_DECIDE, team_id=server.owner_team_id)
    if review.state == ReviewState.REJECTED.value:
        return replace(found, may_reopen=may_decide and not Review.objects.filter(reopens=review).exists())
    if review.state == ReviewState.APPROVED.value and may_decide:
        return _with_pin(found, review)
    if review.state != ReviewState.WAITING.value:
        return found
    found = replace(found, eyes=_eyes(found, decisions, actor, server, may_decide=may_decide))
    may_break = actor.may(Permission.REVIEW_BREAK_GLASS, team_id=server.owner_team_id)
    found = replace(found, may_break_glass=may_break and review.vantage == POLLER)
    if server.environment == Environment.PRODUCTION.value and actor.lacks_second_factor and may_decide:
        why = _("This server is in production: deciding needs a second factor, and your password alone signed you in.")
        return replace(found, needs_second_factor=True, may_break_glass=False, why=why)
    if not may_decide:
        return replace(found, why=_("You may read reviews but not decide them (review:decide)."))
    if _has_decided(decisions, actor):
        return replace(found, why=_("You have decided; another person has to as well."))
    if found.needed > 1 and actor.id in _involved(server):
        why = _("You registered this server or changed its URL, so you may reject but not approve: two others have to.")
        return replace(found, may_decide=True, why=why)
    return replace(found, may_decide=True, may_approve=review.vantage == POLLER, may_dismiss=review.vantage != POLLER)


def _eyes(
    found: Standing, decisions: Sequence[ReviewDecision], actor: Actor, server: Server, *, may_decide: bool
) -> str:
    """How many voices there are of how many, and what the reader's would be. Empty where one is enough."""
    if found.needed < 2:
        return ""
    if _has_decided(decisions, actor):
        said = _("%(given)d of %(needed)d. You have decided, so you cannot be the second.")
    elif actor.id in _involved(server):
        said = _(
            "%(given)d of %(needed)d. You registered this server or changed its URL, so you cannot be one of them."
        )
    elif not may_decide:
        said = _("%(given)d of %(needed)d.")
    elif found.given:
        said = _("%(given)d of %(needed)d. Yours would be the second, and closes it.")
    else:
        said = _("%(given)d of %(needed)d. Yours would be the first; another person has to follow.")
    return said % {"given": found.given, "needed": found.needed}


def _has_decided(decisions: Iterable[ReviewDecision], actor: Actor) -> bool:
    return any(each.person is not None and str(each.person.public_id) == actor.id for each in decisions)


def bulk_obstacle(review: Review, digest: str, verdict: str, actor: Actor, person_id: int) -> str:
    """Why this review would not be decided together with others, as far as its list row tells; else nothing.

    `services.decide_review` asks again, and more. No query is made of a row of `for_list`.
    """
    if review.state != ReviewState.WAITING.value or digest != review.version.digest:
        return _("It waits no more, or for another version than the one that was shown.")
    if not actor.may(Permission.REVIEW_DECIDE, team_id=review.definition.server.owner_team_id):
        return _("You may read reviews but not decide them (review:decide).")
    if _has_decided(review.decisions.all(), actor):
        return _("You have decided this review already; another person has to.")
    if verdict == Verdict.REJECT.value:
        return ""
    server = review.definition.server
    if not counts(server, person_id, needed=needed(server, review)):
        return _(
            "You registered this server or changed its URL, so you may reject but not approve: two others have to."
        )
    return _never_in_bulk(review)


def in_bulk(review: Review, verdict: str) -> str:
    """What would become of it, decided together with others: the state, or `waiting` where another person has to."""
    if verdict == Verdict.REJECT.value:
        return ReviewState.REJECTED.value
    last = given(review, review.decisions.all()) + 1 >= needed(review.definition.server, review)
    return ReviewState.APPROVED.value if last else ReviewState.WAITING.value


def _never_in_bulk(review: Review) -> str:
    if any(finding.severity == Severity.CRITICAL.value for finding in review.version.findings.all()):
        return _("A critical finding is never approved in bulk, nor dismissed; open this review by itself.")
    if review.rejected_before:  # type: ignore[attr-defined]  # annotated by `for_list`
        return _("Exactly this version was rejected before, here or elsewhere; open this review by itself.")
    if review.vantage != POLLER:
        return _("Only some principals were shown this; it can be rejected or dismissed, not approved.")
    return ""


def _with_pin(found: Standing, review: Review) -> Standing:
    """Whether its approval can be taken back, or gone back to; the services know more that stands in the way."""
    pin = Pin.objects.filter(review=review).order_by("-pk").first()
    if pin is None:
        return found
    may_return = pin.ended_reason == PinEnd.REPLACED.value and review.version_id in returnable(review.definition)
    return replace(found, may_withdraw=pin.ended_at is None, may_return=may_return)


def returnable(definition: Definition) -> set[int]:
    """Versions approved since the server was registered, and neither withdrawn nor rejected nor run out since."""
    about = Review.objects.filter(version=OuterRef("pk")).order_by("-pk")
    approved = about.filter(state=ReviewState.APPROVED.value, closed_at__gte=definition.server.registered_at)
    since = Pin.objects.filter(version=OuterRef("pk"), review__gte=OuterRef("approval"))
    ended = since.exclude(ended_reason=PinEnd.REPLACED.value)
    rejected = about.filter(state=ReviewState.REJECTED.value, pk__gt=OuterRef("approval"))
    versions = DefinitionVersion.objects.filter(definition=definition)
    found = versions.annotate(approval=Subquery(approved.values("pk")[:1])).filter(approval__isnull=False)
    spent = Exists(ended) | Exists(rejected) | Exists(since.filter(expires_at__lte=timezone.now()))
    return set(found.exclude(spent).values_list("pk", flat=True))


def _involved(server: Server) -> set[str]:
    people = (server.registered_by, server.endpoint_changed_by)
    return {str(person.public_id) for person in people if person is not None}
