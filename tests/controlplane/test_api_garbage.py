"""Every route of the generated OpenAPI document is given garbage: never a 500, errors in the one envelope."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar
from urllib.parse import quote
from uuid import uuid4

import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from access.services import Holder, ensure_builtin_roles, give_grant
from tests.access.doors import SETUP, Api
from tests.factories import PersonFactory
from tests.tools.making import make_server, poll, tool, waiting

pytestmark = pytest.mark.django_db
T = TypeVar("T")

NESTED: Any = "x"
for _ in range(50):
    NESTED = [NESTED]
# As a field's value. Lone surrogates and NUL are written as JSON escapes.
VALUES = [
    None, True, 0, -1, 2**31, 2**63, 10**400, 1.5, 1e308, "", " ", "x", "a" * 5000, "\u202e", "\x01", "\x00", "\ud800",
    "\U0001f600", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2020-13-99", "http://[::1", "mcp:connect",
    "sha256:" + "0" * 64, str(uuid4()), [], [None], ["x"] * 1000, [[]], [{}], {}, {"a": 1}, NESTED,
]  # fmt: skip
BODIES = [
    b"", b"null", b"[]", b"1", b'"x"', b"{", b"{}{}", b"\xff\xfe", b"\xef\xbb\xbf{}", b'{"a":1,"a":2}', b'{"a":NaN}',
    b'{"reason":"\\u0000"}', b'{"reason":"\\ud800"}', b'{"\\u0000":1}', b'{"a":' + b"9" * 5000 + b"}",
]  # fmt: skip
LARGE = [b"[" * 100_000, b'{"reason":"' + b"x" * 900_000 + b'"}', b'{"reason":"' + b"x" * 1_100_000 + b'"}']
IN_A_PATH = ["x", "%00", "%ff", "%0a", "%2e%2e", "a%2Fb", "%F0%9F%98%80", "-" * 36, "9" * 30, "a" * 3000, str(uuid4())]
IN_A_QUERY = [
    "", "%00", "%ff", "x", "-1", "0", "1e5", "9" * 40, "%D9%A3", "a" * 3000, "2020-13-40", "9999-12-31T23:59:59-14:00",
    # Cursors as the lists make them: p=x, p=NUL, p=9999999999999999999, p=%D9%A3 (a digit, not ours), o=9999…, r=x
    "cD14", "cD0lMDA=", "cD05OTk5OTk5OTk5OTk5OTk5OTk5", "cD0lRDklQTM=", "bz05OTk5OTk5OTk5OTk5OTk5OTk5", "cj14",
]  # fmt: skip
CREDENTIALS = ["", "x", "Bearer", "Bearer ", "Bearer x y", "Basic eDp5", "Bearer hfp_x_y_z", "Bearer " + "a" * 5000]


@dataclass(frozen=True)
class Operation:
    """One method of one route."""

    method: str
    path: str
    fields: dict[str, Any]
    queries: list[str]

    def at(self, value: str) -> str:
        """Its path with `value` for every parameter."""
        parts = self.path.split("/")
        return "/".join(value if part.startswith("{") else part for part in parts).removeprefix("/api/v1/")


@pytest.fixture(scope="module")
def operations() -> list[Operation]:
    document = SchemaGenerator().get_schema(request=None, public=True)
    shapes = document["components"]["schemas"]
    found = [
        Operation(method.upper(), path, _fields(operation, shapes), _queries(operation))
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    assert len(found) > 50
    return found


def _fields(operation: dict[str, Any], shapes: dict[str, Any]) -> dict[str, Any]:
    """The fields of the request's body with a value each that fits."""
    content = operation.get("requestBody", {}).get("content", {})
    if not content:
        return {}
    shape = shapes[content["application/json"]["schema"]["$ref"].rpartition("/")[2]]
    return {name: _fitting(field) for name, field in shape["properties"].items()}


def _fitting(field: dict[str, Any]) -> Any:
    kind = field.get("type", "string")
    kind = kind[0] if isinstance(kind, list) else kind
    fitting = {"integer": field.get("minimum", 1), "boolean": True, "array": [], "object": {}}
    return field["enum"][0] if "enum" in field else fitting.get(kind, f"a{uuid4().hex[:8]}")


def _queries(operation: dict[str, Any]) -> list[str]:
    named = [item["name"] for item in operation.get("parameters", []) if item["in"] == "query"]
    return [*named, "unheard-of"]


@pytest.fixture
def api() -> Api:
    """An administrator's door to an installation that holds one of everything that is quickly made."""
    ensure_builtin_roles()
    boss = PersonFactory.create(username="boss")
    give_grant(role="administrator", holder=Holder(person="boss"), actor=SETUP, reason="A test.")
    poll(make_server("files", registered_by=boss), tool(description="Read."))
    return Api(boss)


def in_turns(choices: Sequence[T], size: int) -> Callable[[], list[T]]:
    """Some of the choices, others with each call, so that all come to many places without all coming to each."""
    starts = count(0, size)

    def some() -> list[T]:
        start = next(starts)
        return [choices[(start + number) % len(choices)] for number in range(size)]

    return some


def rows(api: Api) -> dict[str, str]:
    """By the first part of a path: what stands for its parameter when it exists."""
    agent = api.post("agents/", {"name": "robot"}).json()
    channel = api.post("channels/", {"name": "ops", "url": "http://127.0.0.1:9/"}).json()
    review = waiting()
    role = api.get("roles/").json()["results"][0]
    return {
        "agents": agent["client_id"],
        "channels": channel["id"],
        "definitions": str(review.definition.public_id),
        "people": "boss",
        "reviews": str(review.public_id),
        "roles": role["id"],
        "servers": "files",
    }


def harmless(operation: Operation) -> bool:
    """Whether repeating it leaves the door open: the administrator is neither signed out nor deactivated."""
    return not operation.path.startswith("/api/v1/people/{") or operation.method == "GET"


def existing(operation: Operation, found: dict[str, str]) -> str:
    """The operation's path to something that exists, where there is such a thing."""
    return operation.at(quote(found.get(operation.path.split("/")[3], str(uuid4())), safe=""))


def complaints(answers: Iterator[tuple[str, Any]], allowed: Callable[[int], bool] = lambda status: status < 500) -> Any:
    """What is wrong with these answers."""
    return [f"{what[:200]}: {problem}" for what, answer in answers if (problem := _problem(answer, allowed))]


def _problem(answer: Any, allowed: Callable[[int], bool]) -> str:
    if not allowed(answer.status_code):
        return f"status {answer.status_code}"
    if answer.status_code < 400:
        return ""
    if not answer["Content-Type"].startswith("application/json"):
        return f"{answer.status_code} as {answer['Content-Type']}"
    error = answer.json().get("error", {})
    if set(error) != {"code", "message", "details", "request_id"} or not error["message"]:
        return f"no envelope: {answer.content[:200]!r}"
    return "" if all(set(detail) == {"field", "message"} for detail in error["details"]) else "details without a field"


def test_a_body_that_is_no_object_of_ours(api: Api, operations: list[Operation]) -> None:
    found = rows(api)

    large = in_turns([*LARGE, *(b"{}" for _ in range(7))], 2)

    def answers() -> Iterator[tuple[str, Any]]:
        for operation in operations:
            path = existing(operation, found) if harmless(operation) else operation.at(str(uuid4()))
            for body in [*BODIES, *large()] if operation.method in ("POST", "PATCH") else []:
                yield f"{operation.method} {path} {body[:40]!r}", api.send(operation.method, path, body)

    assert complaints(answers()) == []


def test_a_field_of_the_wrong_kind(api: Api, operations: list[Operation]) -> None:
    found = rows(api)
    values = in_turns(VALUES, 7)

    def answers() -> Iterator[tuple[str, Any]]:
        for operation in operations:
            path = existing(operation, found) if harmless(operation) else operation.at(str(uuid4()))
            for name in operation.fields:
                for value in values():
                    body = {**operation.fields, name: value}
                    yield f"{operation.method} {path} {name}={value!r}", api.send(operation.method, path, body)

    assert complaints(answers()) == []


def test_a_query_that_no_list_takes(api: Api, operations: list[Operation]) -> None:
    values = in_turns(IN_A_QUERY, 11)

    def answers() -> Iterator[tuple[str, Any]]:
        for operation in operations:
            for name in operation.queries if operation.method == "GET" and "{" not in operation.path else []:
                for value in values():
                    path = f"{operation.at('')}?{name}={value}"
                    yield f"GET {path}", api.get(path)

    assert complaints(answers()) == []


def test_a_path_that_leads_nowhere(api: Api, operations: list[Operation]) -> None:
    def answers() -> Iterator[tuple[str, Any]]:
        for operation in operations:
            for value in IN_A_PATH if "{" in operation.path else []:
                yield f"{operation.method} {operation.at(value)}", api.send(operation.method, operation.at(value), {})

    assert complaints(answers()) == []


def test_nobody_gets_in_with_credentials_that_are_none(db: None, operations: list[Operation]) -> None:
    client = Client(raise_request_exception=False)

    def answers() -> Iterator[tuple[str, Any]]:
        for operation in operations:
            path = f"/api/v1/{operation.at(str(uuid4()))}"
            for value in CREDENTIALS:
                headers = {"authorization": value} if value else {}
                answer = client.generic(
                    operation.method, path, data=b"{}", content_type="application/json", headers=headers
                )
                yield f"{operation.method} {path} {value!r}", answer

    assert complaints(answers(), lambda status: status == 401) == []


@pytest.mark.parametrize("cursor", ["cD14", "cD0lMDA=", "cD05OTk5OTk5OTk5OTk5OTk5OTk5", "cj14"])
def test_a_cursor_that_no_list_gave_is_named(api: Api, cursor: str) -> None:
    answer = api.get(f"agents/?cursor={cursor}")
    assert answer.status_code == 400
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == ["cursor"]


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1e5", "9" * 40])
def test_a_limit_that_is_no_number_of_rows_is_named(api: Api, limit: str) -> None:
    answer = api.get(f"agents/?limit={limit}")
    assert answer.status_code == 400
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == ["limit"]


def test_a_body_beyond_the_limit_is_a_413_in_the_envelope(api: Api) -> None:
    answer = api.post("agents/", b'{"name":"' + b"x" * 1_100_000 + b'"}')
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
