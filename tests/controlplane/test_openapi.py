"""The OpenAPI document as programs fetch it."""

import json
from pathlib import Path

import pytest
import yaml
from django.test import Client

from controlplane import openapi
from controlplane.enum_names import ENUM_NAMES

COMMITTED = Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml"


def test_what_is_served_is_what_is_committed(client: Client) -> None:
    assert yaml.safe_load(client.get("/api/v1/schema/").content) == yaml.safe_load(COMMITTED.read_text())


@pytest.mark.parametrize(("path", "accept"), [("?format=json", "*/*"), ("", "application/json")])
def test_programs_may_have_it_as_json(client: Client, path: str, accept: str) -> None:
    document = json.loads(client.get(f"/api/v1/schema/{path}", headers={"accept": accept}).content)
    assert document["openapi"].startswith("3.1")
    assert "/api/v1/reviews/decide/" in document["paths"]


def test_it_is_made_once(client: Client) -> None:
    openapi.document.cache_clear()
    for query in ("", "?a=1", "?version=2"):
        client.get(f"/api/v1/schema/{query}")
    assert openapi.document.cache_info().misses == 1


@pytest.mark.django_db  # the attempt leaves a record
def test_it_is_read_only(client: Client) -> None:
    assert client.post("/api/v1/schema/").status_code == 405


def test_every_operation_says_how_it_refuses(client: Client) -> None:
    document = json.loads(client.get("/api/v1/schema/?format=json").content)
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    reference = {"$ref": "#/components/schemas/Error"}
    assert len(operations) > 50
    assert all(each["responses"]["4XX"]["content"]["application/json"]["schema"] == reference for each in operations)
    assert "request_id" in document["components"]["schemas"]["Error"]["properties"]["error"]["required"]


def test_every_choice_has_a_name_that_a_person_gave() -> None:
    schemas = yaml.safe_load(openapi.document("yaml"))["components"]["schemas"]
    choices = {name for name, schema in schemas.items() if "enum" in schema}
    assert choices - {"BlankEnum", "NullEnum"} == set(ENUM_NAMES)  # those two are the generator's, for no value
