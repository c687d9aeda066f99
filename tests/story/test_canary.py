"""Unique secrets everywhere, everything used, and then every place searched: each is where it is shown once, or nowhere."""

import base64
import hashlib
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value

from tests.fixtures_mcp.honest import tool
from tests.fixtures_mcp.processes import HonestServer, honest_server
from tests.story.browsing import Browser
from tests.story.canaries import (
    SET_COOKIE,
    Answers,
    Overheard,
    Secret,
    api_lists,
    environment_of,
    read_every_page,
    tables,
)
from tests.story.product import Product, running_product, wait_until
from tests.story.receiver import Receiver, webhook_receiver

pytestmark = pytest.mark.story
SLUG = "files"
REDIRECT = "http://127.0.0.1:3334/callback"
VERIFIER = secrets.token_urlsafe(48)


def canary() -> str:
    return f"canary-{secrets.token_hex(16)}"


@dataclass
class Nest:
    """The product while all of it is used, what was seeded, and what everybody was answered."""

    product: Product
    upstream: HonestServer
    receiver: Receiver
    answers: Answers
    client: httpx2.Client
    seeded: list[Secret] = field(default_factory=list)

    @property
    def site(self) -> str:
        found: str = self.product.ready["issuer"]
        return found

    @property
    def endpoint(self) -> str:
        return self.product.endpoint(SLUG)

    def seed(self, name: str, value: str, shown_by: str = "") -> str:
        """A secret that exists from now on."""
        self.seeded.append(Secret(name, value, shown_by))
        return value

    def api(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """As the first administrator."""
        headers = {"authorization": f"Bearer {self.product.ready['admin']['api_token']}"}
        answer = self.client.request(method, f"{self.site}/api/v1/{path}", json=body, headers=headers)
        assert answer.is_success, (path, answer.text)
        return answer.json() if answer.content else None

    def token(self, **form: str) -> dict[str, str]:
        """What the token endpoint gives, which becomes a secret."""
        answer = self.client.post(f"{self.site}/oauth/token/", data=form)
        assert answer.status_code == 200, answer.text
        given: dict[str, str] = answer.json()
        for name in given.keys() & {"access_token", "refresh_token"}:
            self.seed(f"{name} by {form['grant_type']}", given[name], "POST /oauth/token/")
        return given

    def call(self, token: str, tool: str, arguments: dict[str, Any]) -> httpx2.Response:
        """Call a tool as agents do."""
        headers = {"authorization": f"Bearer {token}", "accept": "application/json, text/event-stream"}
        headers |= {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": tool}
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        params = {"name": tool, "arguments": arguments, "_meta": meta}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        return self.client.post(self.endpoint, json=body, headers=headers)


@pytest.fixture(scope="module")
def nest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nest]:
    metrics, answers = canary(), Answers()
    with honest_server() as upstream, webhook_receiver() as receiver, pytest.MonkeyPatch.context() as environment:
        environment.setenv("METRICS_TOKEN", metrics)
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        environment.setenv("DYNAMIC_REGISTRATION", "open")
        with running_product(tmp_path_factory.mktemp("canary")) as product, answers.client() as client:
            made = Nest(product, upstream, receiver, answers, client)
            made.seed("metrics token", metrics)
            yield made


# --- everything is used ------------------------------------------------------------------------------------------


def _seed_installation(nest: Nest) -> None:
    admin = nest.product.ready["admin"]
    nest.seed("administrator's password", admin["password"])
    nest.seed("administrator's API token", admin["api_token"])
    variables = environment_of(nest.product.ready["processes"]["web"])
    for name in ("SECRET_KEY", "SECRETS_KEY", "TOKEN_KEY"):
        value = variables.get(name) or Path(variables[f"{name}_FILE"]).read_text(encoding="utf-8").strip()
        nest.seed(name, value)


def _govern(nest: Nest) -> tuple[dict[str, str], dict[str, str]]:
    """A server with approved tools, a channel, a person, an agent of its own and an application."""
    channel = {"name": "soc", "url": nest.receiver.url, "kinds": ["drift", "unreachable"]}
    nest.seed("webhook key", nest.api("POST", "channels/", channel)["secret"], "POST /api/v1/channels/")
    server = {"slug": SLUG, "name": "Files", "url": nest.upstream.url, "environment": "development"}
    nest.api("POST", "servers/", server)
    nest.api("POST", f"servers/{SLUG}/poll/?wait=true", {})
    waiting = nest.api("GET", f"reviews/?server={SLUG}&state=waiting")["results"]
    chosen = [{"id": each["id"], "digest": each["digest"]} for each in waiting if each["name"] != "delete"]
    nest.api("POST", "reviews/decide/", {"decision": "approve", "reason": "Read.", "reviews": chosen})
    nest.api("POST", "roles/", {"name": "files-user", "scopes": [f"mcp:{SLUG}:read", f"mcp:{SLUG}:call"]})
    nest.api("POST", "people/", {"username": "ada", "password": nest.seed("password", canary()), "role": "reader"})
    nest.api("POST", "grants/", {"role": "files-user", "person": "ada", "expires_at": None})
    token = nest.api("POST", "tokens/", {"username": "ada", "scopes": []})["token"]
    nest.seed("API token", token, "POST /api/v1/tokens/")
    robot = nest.api("POST", "agents/", {"name": "robot", "grant_types": ["client_credentials"]})
    nest.seed("client secret", robot["client_secret"], "POST /api/v1/agents/")
    nest.api("POST", "grants/", {"role": "files-user", "agent": robot["client_id"], "expires_at": None})
    metadata = {"client_name": "Letter writer", "redirect_uris": ["http://127.0.0.1/callback"]}
    application = nest.client.post(f"{nest.site}/oauth/register/", json=metadata).json()
    nest.seed("registered client's secret", application["client_secret"], "POST /oauth/register/")
    return robot, application


def _act_for_ada(nest: Nest, application: dict[str, str]) -> str:
    """The whole flow for a person; answers the token that came of the refresh."""
    proof = {"client_id": application["client_id"], "client_secret": application["client_secret"]}
    link = {
        "response_type": "code",
        "client_id": application["client_id"],
        "redirect_uri": REDIRECT,
        "state": "s",
        "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("="),
        "code_challenge_method": "S256",
        "resource": nest.endpoint,
    }
    password = next(secret.value for secret in nest.seeded if secret.name == "password")
    with Browser(nest.site, "ada", password, nest.answers.client()) as browser:
        leads = browser.allow(f"{nest.site}/oauth/authorize/?{urlencode(link)}")
        browser.read(f"{nest.site}/applications/")
        recovery = _adds_app(nest, browser)
        kept = browser.cookies()
    with Browser(nest.site, "ada", password, nest.answers.client()) as browser:
        second = browser.read(f"{nest.site}/login/")
        assert second.url.path == "/sign-in/second-step/"
        assert browser.send(second, code=recovery).url.path == "/"
    nest.seed("session cookie", kept["session"], SET_COOKIE)
    nest.seed("CSRF cookie", kept["csrf"], SET_COOKIE)
    code = nest.seed("code", parse_qs(urlsplit(leads).query)["code"][0], "POST /oauth/authorize/")
    nest.seed("verifier", VERIFIER)
    first = nest.token(
        grant_type="authorization_code", code=code, redirect_uri=REDIRECT, code_verifier=VERIFIER, **proof
    )
    assert nest.call(first["access_token"], "echo", {"text": "hello"}).status_code == 200
    return nest.token(grant_type="refresh_token", refresh_token=first["refresh_token"], **proof)["access_token"]


def _adds_app(nest: Nest, browser: Browser) -> str:
    """A second factor; answers one of the recovery codes that come with it."""
    path = "/account/security/app/"
    page = browser.read(f"{nest.site}{path}")
    shown = re.search(r'data-copy="([A-Z2-7]{32})"', page.text)
    assert shown is not None
    seed = nest.seed("seed of an authenticator app", shown[1], f"GET {path}")
    added = browser.send(page, code=str(format_hotp_value(hotp_value(seed, int(time.time()) // 30))))
    codes = re.findall(r"<li>(\d{4}-\d{4})</li>", added.text)
    assert len(codes) == 10
    for number, code in enumerate(codes):
        nest.seed(f"recovery code {number}", code, f"POST {path}")
    return str(codes[0])


def _call(nest: Nest, token: str) -> None:
    """Calls that go through, that are refused and that break; each argument is a secret of its caller's."""
    tried = [("echo", "text"), ("delete", "text"), ("absent", "text"), ("echo", "other")]
    for number, (name, member) in enumerate(tried):
        argument = nest.seed(f"argument {number}", canary(), f"POST /mcp/{SLUG}")
        nest.call(token, name, {member: argument})
    nest.call(
        token, "add", {"text": {"nested": [nest.seed("argument of the wrong type", canary(), f"POST /mcp/{SLUG}")]}}
    )


def _misplace(nest: Nest) -> None:
    """Secrets presented where they do not belong."""
    for secret in [each for each in nest.seeded if not each.name.startswith("recovery code") or each.name[-1] == "1"]:
        bearer = {"authorization": f"Bearer {secret.value}"}
        nest.client.get(f"{nest.site}/api/v1/servers/", headers=bearer)
        nest.client.post(nest.endpoint, json={}, headers=bearer)
        nest.client.get(f"{nest.endpoint}?access_token={secret.value}")
        nest.client.get(f"{nest.site}/oauth/authorize/", params={"code": secret.value, "client_id": secret.value})
        form = {"client_id": "absent", "client_secret": secret.value, "token": secret.value, "code": secret.value}
        nest.client.post(f"{nest.site}/oauth/token/", data={"grant_type": "authorization_code", **form})
        nest.client.post(f"{nest.site}/oauth/revoke/", data=form)
        nest.client.post(f"{nest.site}/oauth/introspect/", data=form)
        nest.client.post(f"{nest.site}/oauth/register/", json={"client_name": 7, "software_statement": secret.value})
        nest.api("POST", "tokens/inspect/", {"token": secret.value})
    _look_into_each(nest)


def _look_into_each(nest: Nest) -> None:
    """Whatever may be found anywhere is pasted into the page that tells what a token is."""
    admin, told = nest.product.ready["admin"], ""
    with Browser(nest.site, admin["username"], admin["password"], nest.answers.client()) as browser:
        page = browser.read(f"{nest.site}/tokens/inspect/")
        for secret in [each for each in nest.seeded if not each.name.startswith("recovery code")]:
            told += browser.send(page, token=secret.value).text
    assert {
        kind for kind in ("API token of a person", "Access token of an agent", "Refresh token") if kind in told
    } == {
        "API token of a person",
        "Access token of an agent",
        "Refresh token",
    }


def _read(nest: Nest) -> None:
    """Every page and every list, as the administrator; and the metrics."""
    admin = nest.product.ready["admin"]
    client = nest.answers.client()
    with Browser(nest.site, admin["username"], admin["password"], client) as browser:
        browser.read(f"{nest.site}/login/")
        read = read_every_page(nest.site, client)
    assert {"/", "/audit/", "/agents/", "/people/", "/applications/"} <= {path.partition("?")[0] for path in read}, (
        sorted(read)
    )
    for path in api_lists():
        nest.client.get(f"{nest.site}{path}", headers={"authorization": f"Bearer {admin['api_token']}"})
    metrics = next(secret.value for secret in nest.seeded if secret.name == "metrics token")
    for base in (nest.site, nest.endpoint.partition("/mcp/")[0]):
        nest.client.get(f"{base}/metrics", headers={"authorization": f"Bearer {metrics}"})


# --- and then every place is searched ----------------------------------------------------------------------------


def test_a_secret_is_where_it_is_shown_once_or_nowhere(nest: Nest) -> None:
    _seed_installation(nest)
    variables = environment_of(nest.product.ready["processes"]["web"])
    with Overheard(variables["REDIS_URL"]) as valkey:
        robot, application = _govern(nest)
        form = {"client_id": robot["client_id"], "client_secret": robot["client_secret"], "resource": nest.endpoint}
        _call(nest, nest.token(grant_type="client_credentials", **form)["access_token"])
        _call(nest, _act_for_ada(nest, application))
        nest.upstream.change(tools=[tool("echo", description="Changed.")])
        nest.api("POST", f"servers/{SLUG}/poll/?wait=true", {})
        _misplace(nest)
        _read(nest)
        wait_until("an alert and the traces of calls arrive", lambda: len(_kinds(nest)) >= 2)
    places = dict(_places(nest, variables["DATABASE_URL"], valkey.said))
    _assert_searchable(places, robot["client_id"])
    found = {(secret.name, place) for secret in nest.seeded for place, text in places.items() if secret.stands_in(text)}
    assert found == set()
    for secret in nest.seeded:
        assert nest.answers.that_show(secret) <= {secret.shown_by}, secret.name
    # The search finds what is there: what is shown once was seen.
    unseen = {each.name for each in nest.seeded if each.shown_by and not nest.answers.that_show(each)}
    assert {name for name in unseen if not name.startswith("argument")} == set()


def _kinds(nest: Nest) -> set[str]:
    return {message.headers.get("content-type", "") for message in nest.receiver.received}


def _places(nest: Nest, database: str, valkey: str) -> Iterator[tuple[str, str]]:
    yield from tables(database)
    # What the processes log has their name in front; what greets the operator is there to be read.
    lines = nest.product.log.read_text(errors="replace").splitlines()
    yield "log", "\n".join(line for line in lines if " | " in line)
    yield "valkey", valkey
    for number, message in enumerate(nest.receiver.received):
        text = message.body.decode("latin-1")
        yield f"message {number}", "\n".join((*message.headers.values(), text))


def _assert_searchable(places: dict[str, str], client_id: str) -> None:
    """Each place has something in it, or finding nothing there would mean nothing."""
    assert client_id in places["table access_agent"]
    assert client_id in places["table audit_record"]
    assert places["log"]
    assert "PUBLISH" in places["valkey"]
    messages = [text for place, text in places.items() if place.startswith("message")]
    assert any("drift" in text for text in messages)
    assert any("tools/call" in text for text in messages)
