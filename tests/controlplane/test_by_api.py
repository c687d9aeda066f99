"""The lines that do with the API what a page does: each is a request that the API has, and a shell reads it as meant."""

import json
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml
from django.conf import settings
from django.test import Client

from access.models import Person
from access.services import Holder, give_grant
from controlplane.by_api.pages import PAGES
from controlplane.routes import CONSOLE, routes
from core.permissions import Permission
from tests.access.doors import SETUP, Api
from tests.console.world import Page
from tests.controlplane.two_of_everything import MINE, Doors, Installation
from tests.factories import PersonFactory, person_with
from tests.tools.making import poll, tool

pytestmark = pytest.mark.django_db
OPENAPI: dict[str, Any] = yaml.safe_load(Path("docs/openapi.yaml").read_text())


@dataclass(frozen=True)
class Sent:
    """What a shell would hand to curl."""

    method: str
    url: str
    body: Any

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.url).query))

    @property
    def below(self) -> str:
        """As `Api` asks for it."""
        return self.url.removeprefix(f"{settings.PUBLIC_URL}/api/v1/")


def lines(browser: Client, path: str) -> list[str]:
    page = Page(browser.get(path).content.decode())
    return [button["data-copy"] for button in page.named("button") if "HOLDFAST" in button.get("data-copy", "")]


def read(line: str) -> Sent:
    words = shlex.split(line)
    assert words[:4] == ["curl", "--fail-with-body", "-H", "Authorization: Bearer $HOLDFAST_TOKEN"]
    method = words[words.index("-X") + 1] if "-X" in words else "GET"
    return Sent(method, words[-1], json.loads(words[words.index("-d") + 1]) if "-d" in words else None)


def operation(sent: Sent) -> dict[str, Any] | None:
    """What the description says of it."""
    parts = sent.path.split("/")
    for path, methods in OPENAPI["paths"].items():
        known = path.split("/")
        fits = len(known) == len(parts) and all(k.startswith("{") or k == p for k, p in zip(known, parts, strict=True))
        if fits and sent.method.lower() in methods and not _is_named(path, sent.path):
            return dict(methods[sent.method.lower()])
    return None


def _is_named(pattern: str, path: str) -> bool:
    """Whether another path of the description is exactly this one, so that the pattern is not meant."""
    return "{" in pattern and path in OPENAPI["paths"]


def fields(described: dict[str, Any]) -> tuple[set[str], set[str]]:
    """Names that a body may have, and those that it must."""
    schema = described["requestBody"]["content"]["application/json"]["schema"]
    found = OPENAPI["components"]["schemas"][schema["$ref"].split("/")[-1]]
    return set(found["properties"]), set(found.get("required", ()))


@pytest.fixture
def everything(db: None) -> tuple[Doors, Person]:
    world, person = Installation(), PersonFactory.create(username="tried")
    give_grant(role="administrator", holder=Holder(person="tried"), actor=SETUP, reason="A test.")
    return Doors(world, person), person


def test_each_line_of_each_page_is_a_request_that_the_api_has(everything: tuple[Doors, Person]) -> None:
    doors, person = everything
    api, seen = Api(person), set()
    for route in routes():
        if route.door != CONSOLE or route.method != "GET" or route.name not in PAGES:
            continue
        address, _body = doors.fitting(route, MINE)
        found = [read(line) for line in lines(doors._browser, address)]
        assert found, address
        seen.add(route.name)
        for sent in found:
            described = operation(sent)
            assert described is not None, (address, sent)
            assert sent.query.keys() <= {each["name"] for each in described.get("parameters", ())}, sent
            if sent.method == "GET":
                assert api.get(sent.below).status_code == 200, sent
            elif sent.body is not None:
                may, must = fields(described)
                assert must <= sent.body.keys() <= may, sent
            if '""' in json.dumps(sent.body):
                assert api.send(sent.method, sent.below, sent.body).status_code == 400, sent
    assert seen == set(PAGES)


@pytest.mark.parametrize(
    "query", ["", "?state=open", "?state=snoozed", "?kind=tool&risk=medium", "?assignee=nobody&overdue=on", "?why=new"]
)
def test_the_line_of_the_inbox_lists_what_the_inbox_does(query: str) -> None:
    from tests.console.world import World, administrator

    world = World(administrator(username="ada")).build()
    browser = Client()
    browser.force_login(world.admin)
    page = Page(browser.get(f"/{query}").content.decode())
    shown = {link["href"].split("/")[2] for link in page.named("a") if link.get("href", "").startswith("/reviews/")}
    sent = read(lines(browser, f"/{query}")[0])
    assert {row["id"] for row in Api(world.admin).get(sent.below).json()["results"]} == shown - {"decide"}


def test_what_somebody_wrote_is_data_to_a_shell(everything: tuple[Doors, Person]) -> None:
    hostile = "';touch /tmp/x;'$(id)`id`\"$HOME\" \\ \u202e\n"
    browser = everything[0]._browser
    (line,) = lines(browser, f"/audit/?{_query(tool=hostile)}")
    told = subprocess.run(
        ["sh", "-c", 'curl() { printf "%s\\0" "$@"; }\n' + line],
        env={"HOLDFAST_TOKEN": "a token"}, capture_output=True, check=True, text=True,
    ).stdout  # fmt: skip
    options, signed, header, url, rest = told.split("\0")
    assert (options, signed, header, rest) == ("--fail-with-body", "-H", "Authorization: Bearer a token", "")
    assert dict(parse_qsl(urlsplit(url).query)) == {"tool": hostile}
    assert line.isascii()
    assert line.isprintable()


def _query(**values: str) -> str:
    from urllib.parse import urlencode

    return urlencode(values)


def test_who_may_only_read_is_shown_what_reads(everything: tuple[Doors, Person]) -> None:
    from tools.models import Review

    review = Review.objects.waiting().first()
    assert review is not None
    browser = Client()
    browser.force_login(person_with(Permission.REVIEW_READ))
    assert {read(line).method for line in lines(browser, f"/reviews/{review.public_id}/")} == {"GET"}
    assert {read(line).method for line in lines(everything[0]._browser, f"/reviews/{review.public_id}/")} == {
        "GET", "POST",
    }  # fmt: skip


def test_a_decision_is_about_the_digest_that_is_shown_and_needs_its_reason(everything: tuple[Doors, Person]) -> None:
    from servers.models import Server
    from tools.models import Review

    poll(Server.objects.get(slug="server-red"), tool("other", "Another."))
    review = Review.objects.waiting().get(definition__name="other")
    found = [read(line) for line in lines(everything[0]._browser, f"/reviews/{review.public_id}/")]
    approve = next(sent for sent in found if sent.path.endswith("/approve/"))
    assert approve.body == {"digest": review.version.digest, "reason": ""}


def test_a_filter_that_the_api_does_not_have_is_named(everything: tuple[Doors, Person]) -> None:
    said = Page(everything[0]._browser.get("/definitions/?q=read&kind=tool").content.decode()).text
    assert "the API does not narrow by: q" in said
    assert "the API does not narrow by" not in Page(everything[0]._browser.get("/definitions/").content.decode()).text


def test_a_fragment_brings_the_lines_of_its_filters(everything: tuple[Doors, Person]) -> None:
    answer = everything[0]._browser.get("/?kind=prompt", headers={"hx-request": "true"}).content.decode()
    (swapped,) = [part for part in Page(answer).named("div") if part.get("id") == "by-api"]
    assert swapped["hx-swap-oob"] == "true"
    buttons = [button["data-copy"] for button in Page(answer).named("button") if "data-copy" in button]
    assert read(buttons[0]).query["kind"] == "prompt"


def test_a_page_that_refuses_has_no_lines_of_what_it_does_not_show(everything: tuple[Doors, Person]) -> None:
    nowhere = "/reviews/01980000-0000-7000-8000-000000000000/"
    assert lines(everything[0]._browser, nowhere) == []
