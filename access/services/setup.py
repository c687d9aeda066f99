"""The first person of an installation. Called from the command line only, by whoever holds the database anyway."""

from django.db import transaction
from django.utils import timezone

from access.models import ApiToken, Grant, Person
from access.services.api_tokens import insert_api_token
from access.services.builtin import ADMINISTRATOR
from access.services.grants import Holder, grant_role
from access.services.people import insert_person
from access.services.recording import changed, subject_of
from access.services.roles import ensure_builtin_roles
from audit.events import Event
from core.actor import system_actor
from core.permissions import Permission

_TOKEN_NAME = "setup"  # noqa: S105 -- a token's name, no secret


def create_first_administrator(*, username: str, password: str) -> tuple[Person, str]:
    """Make sure that `username` exists and is an administrator; answers the person and a fresh API token.

    Idempotent: a person that exists keeps their password, and the token of the last run ends. Raises `Invalid`.
    """
    actor = system_actor("setup", *Permission)
    ensure_builtin_roles()
    with transaction.atomic():
        person = Person.objects.named(username).first()
        if person is None:
            person = insert_person(username=username, password=password)
            changed(Event.PERSON_CREATED, actor=actor, subject=subject_of(person))
        if not Grant.objects.live().unconditional().filter(person=person, role__name=ADMINISTRATOR).exists():
            holder = Holder(person=person.username)
            grant_role(role=ADMINISTRATOR, holder=holder, actor=actor, reason="The first administrator.")
        earlier = ApiToken.objects.filter(person=person, name=_TOKEN_NAME, revoked_at__isnull=True)
        earlier.update(revoked_at=timezone.now())
        _row, token = insert_api_token(person, actor=actor, scopes=[], name=_TOKEN_NAME)
    return person, token
