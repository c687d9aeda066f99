"""Pseudonyms: records name a person by a UUID that only `Subject` resolves, so that a person can be forgotten."""

import uuid
from uuid import UUID

from audit.models import SavedSearch, Subject
from core.actor import Actor, ActorKind


def principal_of(actor: Actor) -> str:
    """How `actor` stands in records. Gives a person a pseudonym on first sight, in the current transaction."""
    match actor.kind:
        case ActorKind.PERSON:
            return pseudonym_for(public_id=UUID(actor.id), name=actor.name)
        case ActorKind.AGENT:
            return f"agent:{actor.id}"
        case ActorKind.SYSTEM:
            return f"system:{actor.id}"
        case ActorKind.ANONYMOUS:
            return "anonymous"


def pseudonym_for(*, public_id: UUID, name: str) -> str:
    """The pseudonym of a person, made on first sight; keeps the user name up to date."""
    shown = name.replace("\0", "\u2400")
    # A random pseudonym: one derived from the public id could be computed by whoever knows it.
    subject, created = Subject.objects.get_or_create(
        public_id=public_id, defaults={"pseudonym": uuid.uuid4(), "name": shown}
    )
    if not created and subject.name != shown:
        Subject.objects.filter(pk=subject.pk).update(name=shown)
    return str(subject.pseudonym)


def forget(*, public_id: UUID) -> None:
    """Cut the tie between a person and their pseudonym for good; their records stay and still verify.

    The searches that only they saw go with it.
    """
    pseudonyms = Subject.objects.filter(public_id=public_id).values_list("pseudonym", flat=True)
    SavedSearch.objects.filter(owner__in=[str(each) for each in pseudonyms], shared=False).delete()
    Subject.objects.filter(public_id=public_id).update(public_id=None, name="forgotten")
