"""What answers where nothing else does."""

import pytest
from django.test import Client


@pytest.mark.django_db  # what strangers try to change leaves records
@pytest.mark.parametrize("path", ["nothing/", "servers/a/b/c/", "servers/a%2Fb/", "", "schema/x/"])
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_an_unknown_route_of_the_api_answers_in_the_envelope(client: Client, method: str, path: str) -> None:
    response = getattr(client, method)(f"/api/v1/{path}")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")


def test_a_missing_final_slash_loses_neither_method_nor_body(client: Client) -> None:
    response = client.post("/api/v1/servers", {"slug": "x"}, content_type="application/json")
    assert (response.status_code, response["Location"]) == (308, "/api/v1/servers/")


def test_the_consoles_own_404_is_a_page(client: Client) -> None:
    assert "text/html" in client.get("/nothing/")["Content-Type"]
