"""Opening a rejection again."""

from uuid import UUID

from access.services import bump_revision, server_part
from audit.events import Event
from audit.permit import audited_denials
from core.actor import Actor
from core.errors import Conflict
from tools.models import Review
from tools.rules import ReviewState
from tools.services.groundwork import given_reason, locked_review, person_who_may, refuse_retired
from tools.services.recording import note_review
from tools.services.settling import open_again


@audited_denials
def reopen_review(*, review_id: UUID, reason: str, actor: Actor, batch_id: UUID | None = None) -> Review:
    """Let what was rejected wait again, as a review of its own with decisions of its own; answers that review.

    Raises `NotFound`, `Invalid` (reason), `PermissionDenied`, and `Conflict` unless the review ended with no, nobody
    opened it again, and its version is what has to be decided now.
    """
    why = given_reason(reason)
    server, rejected = locked_review(review_id, actor)
    definition = rejected.definition
    person_who_may(actor, server, definition)
    refuse_retired(server)
    if rejected.state != ReviewState.REJECTED.value:
        raise Conflict(f"This review is {rejected.state}; only a rejected one is opened again.")
    if not Review.objects.standing_rejections().filter(pk=rejected.pk).exists():
        raise Conflict("This rejection was opened again already; look at the newer review.")
    opened = open_again(definition, rejected, server=server, actor=actor)
    if opened is None:
        raise Conflict("The server shows something else by now, or this is served already; nothing is left to decide.")
    note_review(
        Event.REVIEW_REOPENED,
        rejected,
        server=server,
        actor=actor,
        reason=why,
        batch_id=batch_id,
        before={"review": str(rejected.public_id), "state": rejected.state},
        after={"review": str(opened.public_id), "state": opened.state},
    )
    bump_revision(server_part(server.slug))
    return opened
