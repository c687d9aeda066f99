"""What one reader may do about one review, so that a page hides what the service would refuse and says why.

The rules are `tools.rules`'; `services.decide_review` and the database's triggers ask them again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from core.actor import Actor
from core.permissions import Permission
from servers.models import Server
from tools.models import Review, ReviewDecision
from tools.rules import ReviewState, Verdict, approvals_needed
from tools.services.deciding import counts


@dataclass(frozen=True, slots=True)
class Standing:
    """`given` of `needed` approvals. `why` says what keeps the reader from deciding or from approving."""

    given: int
    needed: int
    may_decide: bool = False
    may_approve: bool = False
    why: str = ""


def standing(review: Review, decisions: Sequence[ReviewDecision], actor: Actor) -> Standing:
    """The reader's standing; `review` comes with its definition and server, `decisions` with their people."""
    server = review.definition.server
    needed = approvals_needed(review=review.required_approvals, server=server.required_approvals)
    approvers = [decision.person for decision in decisions if decision.verdict == Verdict.APPROVE.value]
    given = sum(counts(server, person.pk, needed=needed) for person in approvers)
    if review.state != ReviewState.WAITING.value:
        return Standing(given, needed)
    if not actor.may(Permission.REVIEW_DECIDE, team_id=server.owner_team_id):
        return Standing(given, needed, why=_("You may read reviews but not decide them (review:decide)."))
    if any(str(decision.person.public_id) == actor.id for decision in decisions):
        return Standing(given, needed, why=_("You have decided; another person has to as well."))
    if needed > 1 and actor.id in _involved(server):
        why = _("You registered this server or changed its URL, so you may reject but not approve: two others have to.")
        return Standing(given, needed, may_decide=True, why=why)
    return Standing(given, needed, may_decide=True, may_approve=True)


def _involved(server: Server) -> set[str]:
    people = (server.registered_by, server.endpoint_changed_by)
    return {str(person.public_id) for person in people if person is not None}
