"""Taking back what was decided together: each an event of its own, none of them erases what was decided."""

from collections.abc import Sequence
from uuid import UUID

from core.actor import Actor
from core.errors import Conflict, DomainError, Invalid
from core.ids import new_id
from tools.models import Review
from tools.rules import ReviewState
from tools.services.deciding import BULK_MAX, Choice, ItemResult
from tools.services.groundwork import given_reason
from tools.services.reopening import reopen_review
from tools.services.returning import withdraw_approval


def undo_decisions(
    *, choices: Sequence[Choice], reason: str, actor: Actor, batch_id: UUID | None = None
) -> list[ItemResult]:
    """Withdraw the approvals among `choices` and open the rejections again, each by itself, with one batch id.

    Raises `Invalid` for what concerns all of them; what keeps one as it is stands in its result.
    """
    given_reason(reason)
    if len(choices) > BULK_MAX:
        raise Invalid(f"At most {BULK_MAX} reviews can be taken back at once.", field="reviews")
    batch = batch_id or new_id()
    return [_undone(choice, reason, actor, batch) for choice in choices]


def _undone(choice: Choice, reason: str, actor: Actor, batch: UUID) -> ItemResult:
    try:
        _undo(choice, reason, actor, batch)
    except DomainError as error:
        return ItemResult(choice.review_id, error=error)
    return ItemResult(choice.review_id, state=ReviewState.WAITING.value)


def _undo(choice: Choice, reason: str, actor: Actor, batch: UUID) -> None:
    review = Review.objects.visible_to(actor).select_related("definition").by_id(choice.review_id)
    if review.state == ReviewState.APPROVED.value:
        withdraw_approval(
            definition_id=review.definition.public_id, digest=choice.digest, reason=reason, actor=actor, batch_id=batch
        )
    elif review.state == ReviewState.REJECTED.value:
        reopen_review(review_id=review.public_id, reason=reason, actor=actor, batch_id=batch)
    else:
        raise Conflict(f"This review is {review.state}; there is no approval or rejection to take back.")
