"""The page of what to paste into a client."""

import pytest
from django.conf import settings
from django.test import Client

from tests.console.world import Page

pytestmark = pytest.mark.django_db


def test_a_server_s_page_leads_to_snippets_for_the_gateway_s_endpoint(console: Client) -> None:
    assert "/servers/files/connect/" in [
        link.get("href") for link in Page(console.get("/servers/files/").content.decode()).named("a")
    ]
    page = Page(console.get("/servers/files/connect/").content.decode())
    assert page.inline == []
    assert f"claude mcp add --transport http files {settings.GATEWAY_URL}/files" in page.text
    assert "Add custom connector" in page.text
    assert "has to be reachable from the internet" in page.text
    assert "127.0.0.1:9" not in page.text  # the server's own address is nobody's to use


def test_of_a_server_that_the_reader_does_not_see_there_are_none(console: Client) -> None:
    assert console.get("/servers/unknown/connect/").status_code == 404
