"""Documents are fetched over real TLS: from where they may come, in which size and time, and how long they count."""

import ipaddress
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from access.document_fetch import BODY_MAX, KEPT_DEFAULT, DocumentUnavailable, fetch_document, kept_seconds
from core.outbound import OutboundPolicy
from tests.access.document_host import DocumentHost, document_host
from tests.core.exchanges import answering
from tests.fixtures_mcp.processes import hostile_server

pytestmark = pytest.mark.network
ALLOWED = (ipaddress.ip_network("127.0.0.0/8"),)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[DocumentHost]:
    with document_host(tmp_path) as running:
        yield running


@pytest.fixture
def policy(host: DocumentHost) -> OutboundPolicy:
    return OutboundPolicy(allow=ALLOWED, ca_file=str(host.authority))


def refusal(url: str, policy: OutboundPolicy) -> DocumentUnavailable:
    with pytest.raises(DocumentUnavailable) as caught:
        fetch_document(url, policy=policy)
    return caught.value


@pytest.mark.parametrize("content_type", ["application/json", "application/JSON; charset=utf-8", "application/x+json"])
def test_a_document_comes_with_how_long_it_counts(
    host: DocumentHost, policy: OutboundPolicy, content_type: str
) -> None:
    headers = {"content-type": content_type, "cache-control": "max-age=600"}
    url = host.publish(b"{}", headers=headers)
    fetched = fetch_document(url, policy=policy)
    assert (fetched.body, fetched.seconds) == (b"{}", 600)


@pytest.mark.parametrize("content_type", ["text/html", "text/event-stream", "application/jsonp", "", "json"])
def test_only_json_is_a_document(host: DocumentHost, policy: OutboundPolicy, content_type: str) -> None:
    url = host.publish(b"{}", headers={"content-type": content_type})
    assert "JSON" in refusal(url, policy).sentence


@pytest.mark.parametrize(
    ("status", "gone"), [(301, False), (302, False), (204, False), (403, False), (500, False), (404, True), (410, True)]
)
def test_only_the_address_itself_answers_for_it(
    host: DocumentHost, policy: OutboundPolicy, *, status: int, gone: bool
) -> None:
    elsewhere = host.publish(b"{}", "/elsewhere")
    url = host.publish(b"{}", status=status, headers={"content-type": "application/json", "location": elsewhere})
    assert refusal(url, policy).gone is gone
    assert host.asked == ["/client.json"]


def test_a_large_document_is_cut_off(host: DocumentHost, policy: OutboundPolicy) -> None:
    assert not refusal(host.publish(b" " * (BODY_MAX + 1)), policy).gone


def test_a_host_without_a_known_authority_is_not_believed(host: DocumentHost) -> None:
    refusal(host.publish(b"{}"), OutboundPolicy(allow=ALLOWED))
    assert host.asked == []


def test_a_slow_host_is_left_in_time() -> None:
    with hostile_server() as base:
        started = time.monotonic()
        refusal(f"{base}/http/hang", OutboundPolicy(allow=ALLOWED))
        assert time.monotonic() - started < 30


# Every way to write an address that is not public, as the host of a client id or behind its name.
INSIDE = [
    "127.0.0.1",
    "10.0.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "168.63.129.16",
    "100.100.100.200",
    "0.0.0.0",
    "224.0.0.1",
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "fec0::1",
    "ff02::1",
    "::ffff:169.254.169.254",
    "::169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "2001:0:a9fe:a9fe::1",
    "fe80::5efe:a9fe:a9fe",
]


@pytest.mark.parametrize("address", INSIDE)
def test_no_client_id_leads_into_the_internal_network(address: str) -> None:
    literal = f"[{address}]" if ":" in address else address
    refusal(f"https://{literal}/client.json", OutboundPolicy())
    resolver, asked = answering([address])
    with pytest.raises(DocumentUnavailable):
        fetch_document("https://app.example/client.json", policy=OutboundPolicy(), resolver=resolver)
    assert asked == ["app.example"]


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "0177.0.0.1", "localhost"])
def test_nor_does_another_way_to_write_one(host: str) -> None:
    refusal(f"https://{host}/client.json", OutboundPolicy())


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", KEPT_DEFAULT),
        ("public", KEPT_DEFAULT),
        ("max-age=600", 600),
        ("public, Max-Age=600, immutable", 600),
        ('max-age="600"', 600),
        ("max-age=600, s-maxage=900", 900),
        ("max-age=1", 300),
        ("max-age=0", 300),
        ("no-store", 300),
        ("no-cache, max-age=6000", 300),
        ("max-age=999999999", 86_400),
        ("max-age=9999999999999999999999", 86_400),
        ("max-age=-5", KEPT_DEFAULT),
        ("x-max-age=700", KEPT_DEFAULT),
    ],
)
def test_a_document_counts_as_long_as_its_headers_say_within_bounds(header: str, seconds: int) -> None:
    assert kept_seconds(header) == seconds
