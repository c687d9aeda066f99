"""Every route of the authorization server, asked in every wrong way: refused as the specification says, on record,
and never an error of ours.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, quote_from_bytes, urlsplit

import pytest
from django.conf import settings
from django.test import Client
from django.urls import get_resolver
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from access.models import Agent, Person, RequestCount
from audit.models import Record
from core.sampling import Sampler
from tests.access.flow import CHALLENGE, FORM, REDIRECT, RESOURCE, VERIFIER, code_for, exchange
from tests.factories import AgentFactory, ProtectedResourceFactory, PublicAgentFactory, person_with

pytestmark = pytest.mark.django_db
Parameters = list[tuple[bytes, bytes]]
# RFC 6749, 5.2, with what RFC 7009, 7591 and 8707 add, and what each route may answer of it.
TOKEN_ERRORS: Final = {
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "invalid_target",
}
ERRORS: Final = {
    "token": TOKEN_ERRORS,
    "revoke": {"invalid_request", "invalid_client", "unsupported_token_type"},
    "introspect": {"invalid_request", "invalid_client"},
    "register": {"invalid_request", "invalid_redirect_uri", "invalid_client_metadata"},
    # RFC 6749, 4.1.2.1 and RFC 8707.
    "authorize": {
        "invalid_request",
        "unauthorized_client",
        "access_denied",
        "unsupported_response_type",
        "invalid_scope",
        "invalid_target",
        "login_required",
        "consent_required",
    },
}
METADATA: Final = {"client_name": "Editor", "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none"}


@pytest.fixture(autouse=True)
def every_refusal_is_recorded(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Not a sample of them; and whoever asks may ask as often as it takes."""
    for place in ("views._STRANGERS", "authorize._REFUSALS", "register._STRANGERS"):
        monkeypatch.setattr(f"access.oauth.{place}", Sampler(limit=10**9, window=60))
    monkeypatch.setattr("access.oauth.register.PER_MINUTE", 10**9)
    monkeypatch.setattr("access.services.registration.PER_DAY", 10**9)
    settings.OAUTH_REQUESTS_PER_MINUTE = 10**9
    settings.DYNAMIC_REGISTRATION = "open"


@pytest.fixture
def ada(db: None) -> Person:
    return person_with("mcp:files:call", username="ada")


@pytest.fixture(autouse=True)
def agents(db: None) -> None:
    server = AgentFactory.create(client_id="server")
    AgentFactory.create(client_id="bot")
    PublicAgentFactory.create(client_id="app")
    ProtectedResourceFactory.create(server_slug="files", introspector=server)


# --- a request that is sound, and how it is spoiled --------------------------------------------------------------


@dataclass
class Sent:
    """A request, before it is sent."""

    route: str
    method: str = "POST"
    query: Parameters = field(default_factory=list)
    form: Parameters = field(default_factory=list)
    body: bytes | None = None  # in place of the form
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = FORM
    person: Person | None = None

    def answer(self) -> Any:
        """What comes of it."""
        client = Client(raise_request_exception=False)
        if self.person is not None:
            client.force_login(self.person)
        url = f"/oauth/{self.route}/" + (f"?{encoded(self.query).decode()}" if self.query else "")
        body = encoded(self.form) if self.body is None else self.body
        return client.generic(self.method, url, body, self.content_type, headers=self.headers)


def encoded(parameters: Parameters) -> bytes:
    return "&".join(f"{quote_from_bytes(name)}={quote_from_bytes(value)}" for name, value in parameters).encode()


def pairs(**parameters: str) -> Parameters:
    return [(name.encode(), value.encode()) for name, value in parameters.items()]


ASKED: Final = pairs(
    response_type="code", client_id="app", redirect_uri=REDIRECT, state="s", code_challenge=CHALLENGE,
    code_challenge_method="S256", resource=RESOURCE, scope="mcp:connect",
)  # fmt: skip


def by_code(ada: Person) -> Sent:
    form = pairs(grant_type="authorization_code", client_id="app", redirect_uri=REDIRECT, code_verifier=VERIFIER)
    return Sent("token", form=form + pairs(code=_code(ada), resource=RESOURCE))


def by_refresh_token(ada: Person) -> Sent:
    tokens = exchange(_code(ada)).json()
    form = pairs(grant_type="refresh_token", client_id="app", refresh_token=tokens["refresh_token"])
    return Sent("token", form=form + pairs(resource=RESOURCE, scope="mcp:connect"))


def by_secret(ada: Person) -> Sent:
    form = pairs(grant_type="client_credentials", client_id="bot", client_secret="secret", resource=RESOURCE)
    return Sent("token", form=form)


def revoked(ada: Person) -> Sent:
    form = pairs(token=exchange(_code(ada)).json()["access_token"], token_type_hint="access_token", client_id="app")
    return Sent("revoke", form=form)


def introspected(ada: Person) -> Sent:
    form = pairs(token=exchange(_code(ada)).json()["access_token"], client_id="server", client_secret="secret")
    return Sent("introspect", form=form)


def registered(ada: Person) -> Sent:
    return Sent("register", body=json.dumps(METADATA).encode(), content_type="application/json")


def asked(ada: Person) -> Sent:
    return Sent("authorize", "GET", query=list(ASKED), person=ada)


def asked_by_nobody(ada: Person) -> Sent:
    return Sent("authorize", "GET", query=list(ASKED))


def allowed(ada: Person) -> Sent:
    page = asked(ada).answer()
    form = pairs(seen=page.context["seen"], resource=RESOURCE, allow="yes")
    return Sent("authorize", "POST", query=list(ASKED), form=form, person=ada)


def _code(ada: Person) -> str:
    return code_for(ada, Agent.objects.get(client_id="app"))


SOUND: Final = (
    by_code, by_refresh_token, by_secret, revoked, introspected, registered, asked, asked_by_nobody, allowed,
)  # fmt: skip
Making = Callable[[Person], Sent]


# --- what must hold of every answer ------------------------------------------------------------------------------


def judge(sent: Sent) -> tuple[int, str]:
    """Send it. Its status and error, after all that holds of any answer was held against it."""
    before = list(Record.objects.values_list("id", flat=True))
    response = sent.answer()
    status, error = response.status_code, _error_of(response)
    assert status < 500, response.content
    if not error:
        # A consent form that is none is refused where forms are read, before any of our endpoints.
        assert status in (200, 201, 302) or (sent.method, sent.route, status) == ("POST", "authorize", 400)
        return status, ""
    # A page is read by a person; what programs are told is a word of the specification's.
    assert error in ERRORS[sent.route] or (sent.route, status, error) == ("authorize", 400, "invalid_client")
    assert status in (302, 400, 401, 405, 413, 414, 415)
    assert "no-store" in response["Cache-Control"]
    recorded = Record.objects.exclude(id__in=before)
    assert any(each.reason.startswith(error) or each.event == "consent.refused" for each in recorded), error
    return status, error


def _error_of(response: Any) -> str:
    if response.status_code == 302:
        going = urlsplit(response["Location"])
        if going.path == "/login/":
            return ""
        assert response["Location"].startswith(f"{REDIRECT}?"), "nobody else is sent there"
        answer = parse_qs(going.query)
        assert answer["iss"] == [settings.ISSUER]
        return "".join(answer.get("error", []))
    if response["Content-Type"] == "application/json":
        return str(response.json().get("error", ""))
    refusal = (response.context or {}).get("refusal")
    return "" if refusal is None else str(refusal.error)


@pytest.mark.parametrize("sound", SOUND, ids=lambda make: make.__name__)
def test_each_request_is_accepted_as_long_as_nobody_spoils_it(sound: Making, ada: Person) -> None:
    assert judge(sound(ada))[1] == ""


def test_every_route_is_asked() -> None:
    patterns = {str(pattern.pattern) for pattern in get_resolver("access.oauth_urls").url_patterns}
    routes = {text.split("/")[1] for text in patterns if text.startswith("oauth/")}
    assert routes == {*ERRORS}


# --- one thing wrong ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [b"a\0b", b"\xff\xfe"], ids=["nul", "no utf-8"])
@pytest.mark.parametrize("sound", [make for make in SOUND if make is not registered], ids=lambda make: make.__name__)
def test_nul_and_bad_utf8_are_refused_wherever_they_stand(sound: Making, value: bytes, ada: Person) -> None:
    whole = sound(ada)
    for place in ("query", "form"):
        if place == "form" and whole.route == "authorize":
            continue  # what the consent page sends is compared, and kept nowhere
        for number, (name, _) in enumerate(getattr(whole, place)):
            sent = sound(ada)
            getattr(sent, place)[number] = (name, value)
            status, error = judge(sent)
            assert (status, error) == (400, "invalid_request"), name


@pytest.mark.parametrize("sound", [make for make in SOUND if make is not registered], ids=lambda make: make.__name__)
def test_a_parameter_that_comes_twice_is_refused(sound: Making, ada: Person) -> None:
    whole = sound(ada)
    place = "query" if whole.route == "authorize" else "form"
    for number, (name, _) in enumerate(getattr(whole, place)):
        sent = sound(ada)
        parameters = getattr(sent, place)
        parameters.append(parameters[number])
        _, error = judge(sent)
        assert error == ("invalid_target" if name == b"resource" else "invalid_request"), name


@pytest.mark.parametrize("sound", SOUND, ids=lambda make: make.__name__)
def test_a_megabyte_of_redirects_is_not_read(sound: Making, ada: Person) -> None:
    sent = sound(ada)
    uris = [f"https://app.example/{number:04}/{'x' * 2000}" for number in range(500)]
    if sent.route == "authorize":
        sent.query += pairs(redirect_uris=" ".join(uris))
        assert judge(sent) == (414, "invalid_request")
    elif sent.route == "register":
        sent.body = json.dumps({**METADATA, "redirect_uris": uris}).encode()
        assert judge(sent) == (413, "invalid_request")
    else:
        sent.form += pairs(redirect_uri=" ".join(uris))
        assert judge(sent) == (413, "invalid_request")


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Basic " + "A" * 1_000_000},
        {"authorization": "Basic " + base64.b64encode(b"app\0:\xff").decode()},
        {"authorization": "Basic \xff\xfe"},
        {"authorization": "\0" * 10},
        {"x-filler": "x" * 1_000_000},
        {"cookie": "session=" + "\xff" * 100_000},
        {"cookie": "session=\0"},
        {"origin": "x" * 100_000, "referer": "\0"},
        {"content-encoding": "gzip"},
        {"transfer-encoding": "nonsense"},
    ],
    ids="+".join,
)
@pytest.mark.parametrize("sound", SOUND, ids=lambda make: make.__name__)
def test_no_header_breaks_a_route(sound: Making, headers: dict[str, str], ada: Person) -> None:
    sent = sound(ada)
    sent.headers = headers
    judge(sent)


@pytest.mark.parametrize("sound", SOUND, ids=lambda make: make.__name__)
def test_a_foreign_host_is_no_name_of_ours(sound: Making, ada: Person) -> None:
    sent = sound(ada)
    sent.headers = {"host": "evil.example"}
    assert sent.answer().status_code == 400


# --- anything wrong ----------------------------------------------------------------------------------------------

VALUES = st.one_of(
    st.sampled_from(
        [
            b"\0",
            b"a\0b",
            b"\xff\xfe",
            b"\xed\xa0\x80",
            b"\xc0\x80",
            b"",
            b" ",
            b"null",
            b"-1",
            b"[]",
            b'{"a": 1}',
            b"https://evil.test/cb",
            b"http://127.0.0.1:1/callback;x",
            b"javascript:alert(1)",
            b"' OR 1=1 --",
            b"x" * 300,
            b"x" * 5000,
            b"app",
            b"bot",
            b"mcp:other:call",
            "ä\u202e\U0001f600".encode(),
        ]
    ),
    st.binary(max_size=12),
    st.text(max_size=12).map(lambda text: text.encode("utf-8", "surrogatepass")),
)
NAMES = st.sampled_from([name for name, _ in ASKED] + [b"code", b"token", b"\0", b"a[b]", b"prompt", b"request"])
SPOILING = st.lists(st.tuples(st.sampled_from(["set", "drop", "twice", "add"]), st.integers(0, 9), NAMES, VALUES))
CONTENT_TYPES = st.sampled_from([FORM, f"{FORM}; charset=utf-7", "application/json", "multipart/form-data", "", "x"])
REPEATEDLY = hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def spoil(parameters: Parameters, how: list[tuple[str, int, bytes, bytes]]) -> None:
    for what, number, name, value in how:
        at = number % len(parameters) if parameters else 0
        if what == "add" or not parameters:
            parameters.append((name, value))
        elif what == "set":
            parameters[at] = (parameters[at][0], value)
        elif what == "drop":
            del parameters[at]
        else:
            parameters.append((parameters[at][0], value))


@pytest.mark.parametrize("sound", SOUND, ids=lambda make: make.__name__)
@REPEATEDLY
@given(query=SPOILING, form=SPOILING, content_type=st.none() | CONTENT_TYPES, raw=st.none() | st.binary(max_size=40))
def test_whatever_is_sent_is_answered(
    sound: Making, ada: Person, query: Any, form: Any, content_type: str | None, raw: bytes | None
) -> None:
    sent = sound(ada)
    if sent.route == "authorize":
        spoil(sent.query, query)
    if sent.method == "POST":
        spoil(sent.form, form)
        sent.content_type = sent.content_type if content_type is None else content_type
        sent.body = sent.body if raw is None else raw
    judge(sent)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
MEMBERS = (*METADATA, "grant_types", "response_types", "scope", "jwks", "software_statement", "client_id", "")


@REPEATEDLY
@given(st.one_of(JSON, st.dictionaries(st.sampled_from(MEMBERS), JSON).map(lambda changes: {**METADATA, **changes})))
def test_members_of_any_type_are_answered(ada: Person, document: Any) -> None:
    sent = registered(ada)
    sent.body = json.dumps(document).encode()
    judge(sent)
    RequestCount.objects.all().delete()
