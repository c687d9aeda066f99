"""Authorization codes: made when a person allows an agent, good for one exchange within a minute.

Only the hash of a code is stored. The first who brings a code uses it up, whether or not the exchange then succeeds:
a wrong verifier says that it fell into other hands.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.utils import timezone

from access.keys import token_key
from access.models import Agent, AuthorizationCode, ConsumedCode, Person
from access.services.families import agent_actor, end_family, lock_person
from access.token_format import TokenKind, checksum, mint

CODE_MEMORY: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class RedeemedCode:
    """What a code stands for."""

    person: Person
    family: uuid.UUID
    redirect_uri: str
    resource: str
    scope: str
    code_challenge: str


def issue_code(
    *, person: Person, agent: Agent, redirect_uri: str, resource: str, scopes: Iterable[str], code_challenge: str
) -> str:
    """A fresh code, within the transaction in which the person's consent was given or found."""
    code = mint(TokenKind.CODE, token_key())
    life = timedelta(seconds=settings.OAUTH2_PROVIDER["AUTHORIZATION_CODE_EXPIRE_SECONDS"])
    AuthorizationCode.objects.create(
        code=checksum(code),
        application=agent,
        user=person,
        expires=timezone.now() + life,
        redirect_uri=redirect_uri,
        scope=" ".join(sorted(scopes)),
        code_challenge=code_challenge,
        code_challenge_method="S256",
        resource=[resource],
    )
    return code


def redeem_code(*, agent: Agent, hashed: str, arrived: datetime) -> RedeemedCode | None:
    """Use a code up and answer what it stands for; None where it is worth nothing. Needs a transaction.

    A code that was used before `arrived` is a replay and ends what came of it (RFC 6749, 4.1.2). One that was used
    while this request waited is a client that asked twice at once: refused, and no more.
    """
    row = AuthorizationCode.objects.filter(code=hashed, application=agent).values("user_id").first()
    person = lock_person(row["user_id"]) if row else None
    code = AuthorizationCode.objects.select_for_update().filter(code=hashed, application=agent).first()
    if code is None or person is None:
        _end_replayed(hashed, agent, arrived)
        return None
    family = uuid.uuid4()
    ConsumedCode.objects.create(code=hashed, family=family, consumed_at=timezone.now())
    code.delete()
    if code.is_expired() or not person.is_active:
        return None
    return RedeemedCode(person, family, code.redirect_uri, code.resource[0], code.scope, code.code_challenge)


def _end_replayed(hashed: str, agent: Agent, arrived: datetime) -> None:
    used = ConsumedCode.objects.filter(code=hashed, consumed_at__lte=arrived).first()
    if used is not None:
        end_family(family=used.family, actor=agent_actor(agent), reason="authorization code replayed")
