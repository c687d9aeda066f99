"""The official suite's scenarios for authorization servers, against the running product; the test plays the person."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from tests.conformance import suite as official
from tests.conformance.suite import AUTHORIZATION, Suite
from tests.ports import free_ports
from tests.story.browsing import Browser
from tests.story.product import Product, running_product

pytestmark = [pytest.mark.conformance, pytest.mark.story]
SLUG = "files"
PASSWORD = "correct horse battery ada"


@dataclass(frozen=True)
class Site:
    """The running product, an application that people may use, and somebody who may use a server."""

    product: Product
    client_id: str

    @property
    def issuer(self) -> str:
        found: str = self.product.ready["issuer"]
        return found

    def open(self, link: str) -> None:
        """As `ada`, in a browser of her own."""
        with Browser(self.issuer, "ada", PASSWORD) as browser:
            httpx2.get(browser.allow(link), timeout=30).raise_for_status()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_product(tmp_path_factory.mktemp("authorization")) as product:
        post = product.admin.post
        server = {"slug": SLUG, "name": "Files", "url": "http://127.0.0.1:9/mcp", "environment": "development"}
        post("servers/", server, expect=201)
        post("roles/", {"name": "files-user", "scopes": [f"mcp:{SLUG}:call"]}, expect=201)
        post("people/", {"username": "ada", "password": PASSWORD}, expect=201)
        post("grants/", {"role": "files-user", "person": "ada", "expires_at": None}, expect=201)
        application: dict[str, Any] = {
            "name": "Application",
            "grant_types": ["authorization_code"],
            "redirect_uris": ["http://127.0.0.1/callback"],
            "public": True,
        }
        yield Site(product, post("agents/", application, expect=201)["client_id"])


@pytest.mark.parametrize("named", [False, True], ids=["without a resource", "with a resource"])
def test_every_scenario_passes_without_a_warning(suite: Suite, site: Site, named: bool) -> None:  # noqa: FBT001 -- pytest's
    found = official.authorization(
        suite,
        site.issuer,
        site.open,
        client_id=site.client_id,
        port=free_ports(),
        resource=site.product.endpoint(SLUG) if named else "",
    )
    assert [each.name for each in found if each.passed] == [*AUTHORIZATION]
    assert all(each.succeeded for each in found)
    assert not [said for each in found for said in (each.failed, each.warned, each.skipped) if said]


def test_what_was_skipped_was_not_passed(suite: Suite, site: Site) -> None:
    _, grant = official.authorization(suite, site.issuer, site.open, client_id="", port=free_ports())
    assert (set(grant.succeeded), len(grant.skipped)) == (set(), 1)
