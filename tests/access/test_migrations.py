"""What the application's own role cannot write into the tables of codes, refresh tokens and consents, even with raw SQL."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from access.models import AccessToken, Agent, AuthorizationCode, Consent, ConsumedCode, Person, RefreshToken
from tests.factories import AgentFactory, PersonFactory

pytestmark = pytest.mark.django_db
HASH = "0" * 64
RESOURCE = "http://127.0.0.1:8000/mcp/files"


@pytest.fixture
def agent(db: None) -> Agent:
    return AgentFactory.create()


@pytest.fixture
def person(db: None) -> Person:
    return PersonFactory.create()


def refused(sql: str, *params: Any) -> str:
    """Run `sql` as the application's role; it must fail. Answers what the database said."""
    with pytest.raises(DatabaseError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, params)
    return str(caught.value)


def code(agent: Agent, person: Person, **changes: Any) -> AuthorizationCode:
    values = {"code": HASH, "code_challenge": "c" * 43, "code_challenge_method": "S256", "resource": [RESOURCE]}
    later = timezone.now() + timedelta(minutes=1)
    row: AuthorizationCode = AuthorizationCode.objects.create(
        application=agent, user=person, expires=later, redirect_uri="https://a.example/cb", **{**values, **changes}
    )
    return row


def refresh_token(agent: Agent, person: Person, **changes: Any) -> RefreshToken:
    values = {"token_checksum": HASH, "token_family": uuid.uuid4(), "resource": [RESOURCE]}
    row: RefreshToken = RefreshToken.objects.create(application=agent, user=person, **{**values, **changes})
    return row


@pytest.mark.parametrize(
    ("column", "value", "constraint"),
    [
        ("code", "hfc.plain", "code_not_in_plain"),
        ("code_challenge_method", "plain", "code_bound_to_a_verifier"),
        ("code_challenge", "", "code_bound_to_a_verifier"),
        ("resource", "[]", "code_for_one_resource"),
        ("resource", '["https://a.example", "https://b.example"]', "code_for_one_resource"),
    ],
)
def test_a_code_is_hashed_bound_to_a_verifier_and_for_one_resource(
    agent: Agent, person: Person, column: str, value: str, constraint: str
) -> None:
    code(agent, person)
    assert constraint in refused(f"UPDATE access_authorizationcode SET {column} = %s", value)


@pytest.mark.parametrize("table", ["access_refreshtoken", "access_accesstoken"])
def test_a_token_is_never_stored_in_plain_nor_for_several_resources(agent: Agent, person: Person, table: str) -> None:
    refresh_token(agent, person)
    AccessToken.objects.create(application=agent, expires=timezone.now(), token_checksum=HASH, resource=[RESOURCE])
    assert "not_in_plain" in refused(f"UPDATE {table} SET token = 'hfr.plain'")
    assert "for_one_resource" in refused(f"UPDATE {table} SET resource = '[]'")


def test_a_family_has_one_live_refresh_token(agent: Agent, person: Person) -> None:
    first = refresh_token(agent, person)
    RefreshToken.objects.update(revoked=timezone.now())
    refresh_token(agent, person, token_checksum="1" * 64, token_family=first.token_family)
    assert "refresh_token_one_live" in refused("UPDATE access_refreshtoken SET revoked = NULL")


def test_only_an_exchanged_token_has_a_successor(agent: Agent, person: Person) -> None:
    refresh_token(agent, person)
    assert "superseded_is_revoked" in refused("UPDATE access_refreshtoken SET superseded_at = now()")
    assert "successor_of_superseded" in refused("UPDATE access_refreshtoken SET successor = 'x'::bytea")


def test_the_release_before_inserts_without_the_new_columns(agent: Agent, person: Person) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO access_refreshtoken (public_id, user_id, application_id, token, token_checksum, resource,"
            " created, updated) VALUES (gen_random_uuid(), %s, %s, '', %s, %s, now(), now())",
            [person.pk, agent.pk, HASH, f'["{RESOURCE}"]'],
        )
    assert RefreshToken.objects.get().family_began_at <= timezone.now()


def test_a_consumed_code_is_hashed() -> None:
    ConsumedCode.objects.create(code=HASH, family=uuid.uuid4(), consumed_at=timezone.now())
    assert "consumed_code_not_in_plain" in refused("UPDATE access_consumedcode SET code = 'hfc.plain'")


def test_a_consent_is_live_once_names_scopes_and_ends(agent: Agent, person: Person) -> None:
    now = timezone.now()
    values = {
        "person": person,
        "agent": agent,
        "redirect_uri": "https://a.example/cb",
        "resource": RESOURCE,
        "scopes": ["mcp:connect"],
        "key": HASH,
        "client_digest": HASH,
        "given_at": now,
        "ends_at": now + timedelta(days=1),
    }
    Consent.objects.create(**values, revoked_at=now)
    Consent.objects.create(**values)
    assert "consent_one_live" in refused("UPDATE access_consent SET revoked_at = NULL")
    assert "consent_names_scopes" in refused("UPDATE access_consent SET scopes = '{}'")
    assert "consent_ends_later" in refused("UPDATE access_consent SET ends_at = given_at")
    assert "consent_digests_are_sha256" in refused("UPDATE access_consent SET key = 'x'")
