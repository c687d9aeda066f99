"""What every decision begins with: a reason, the rows locked in one order, a person who may.

The order is server, definition, review: that in which observations lock them, so nobody waits in a circle.
"""

from uuid import UUID

from access.models import Person
from audit.permit import refuse_unless
from core.actor import Actor, ActorKind
from core.errors import Conflict, Invalid, NotFound, SecondFactorNeeded
from core.names import subject
from core.permissions import Permission
from servers.models import Server
from servers.rules import Environment, ServerState
from tools.models import Definition, Review, Sighting
from tools.rules import POLLER, REASON_MAX, ReviewState


def given_reason(reason: str, *, field: str = "reason") -> str:
    """The reason as it is kept. Raises `Invalid` at `field`."""
    why = reason.strip()
    if not why or len(why) > REASON_MAX or "\0" in why:
        raise Invalid(f"Say why, in 1 to {REASON_MAX} characters; the reason is kept for ever.", field=field)
    return why


def locked_review(review_id: UUID, actor: Actor) -> tuple[Server, Review]:
    """The review with its version and definition, the rows locked. Raises `NotFound`."""
    found = Review.objects.visible_to(actor).select_related("definition").by_id(review_id)
    server = _locked_server(found.definition.server_id)
    Definition.objects.select_for_update().get(pk=found.definition_id)
    review = Review.objects.select_for_update(of=("self",)).select_related("version", "definition__observed")
    return server, review.get(pk=found.pk)


def locked_definition(definition_id: UUID, actor: Actor) -> tuple[Server, Definition]:
    """The definition with what is observed of it, the rows locked. Raises `NotFound`."""
    found = Definition.objects.visible_to(actor).by_id(definition_id)
    server = _locked_server(found.server_id)
    rows = Definition.objects.select_for_update(of=("self",)).select_related("observed").defer("observed__text")
    return server, rows.get(pk=found.pk)


def _locked_server(server_id: int) -> Server:
    return Server.objects.select_for_update(of=("self",)).select_related("owner_team").get(pk=server_id)


def person_who_may(
    actor: Actor, server: Server, definition: Definition, *, permission: Permission = Permission.REVIEW_DECIDE
) -> Person:
    """Who decides: a person, never a process, who holds `permission`. Raises `PermissionDenied`, `NotFound`."""
    refuse_unless(
        actor.kind is ActorKind.PERSON and actor.may(permission, team_id=server.owner_team_id),
        actor=actor,
        permission=permission,
        subject=subject(definition.kind, server.slug, definition.name),
    )
    person = Person.objects.filter(public_id=actor.id, is_active=True).first()
    if person is None:
        raise NotFound("The deciding person is not known.")
    return person


def refuse_password_alone(actor: Actor, server: Server, definition: Definition) -> None:
    """On a production server nobody decides in a session that began with a password alone (ADR 0022)."""
    if server.environment == Environment.PRODUCTION.value and actor.lacks_second_factor:
        raise SecondFactorNeeded(subject=subject(definition.kind, server.slug, definition.name))


def refuse_retired(server: Server) -> None:
    """Raise `Conflict` where nothing is decided any more."""
    if server.state == ServerState.RETIRED.value:
        raise Conflict("The server is retired.")


def refuse_stale(review: Review, digest: str) -> None:
    """Raise `Conflict` unless the review waits, is about exactly `digest`, and that is what is shown."""
    if review.state != ReviewState.WAITING.value:
        raise Conflict(f"This review is {review.state}; nothing waits in it.", field="digest")
    if digest != review.version.digest:
        raise Conflict("This review waits for another digest than the one given.", field="digest")
    if not review.definition.present or not _is_shown(review):
        raise Conflict("The server shows something else by now; look at the newer review.", field="digest")


def _is_shown(review: Review) -> bool:
    if review.vantage == POLLER:
        return review.definition.observed_id == review.version_id
    return Sighting.objects.withholding().filter(definition=review.definition, version=review.version).exists()
