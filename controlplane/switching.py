"""Who works the kill switch from the command line: a named person, or the host itself."""

from access.models import Person
from access.services import actor_for
from core.actor import Actor, system_actor
from core.errors import NotFound
from core.permissions import Permission

HOST = system_actor("host", Permission.SUSPENSION_SET, Permission.SUSPENSION_LIFT, Permission.SERVER_READ)


def acting(username: str) -> Actor:
    """The person of this name, with what they may; the host where nobody is named. Raises `NotFound`.

    Nothing proves that it is this person: whoever has a shell on the host may act for anybody, and records of the
    host's own say so.
    """
    if not username:
        return HOST
    person = Person.objects.active().named(username).first() if username.isprintable() else None
    if person is None:
        raise NotFound(f"There is no active person '{username[:80]}'.")
    return actor_for(person)
