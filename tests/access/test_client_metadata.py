"""What clients say about themselves, and which agent that makes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.client_metadata import (
    GRANT_TYPES,
    BadMetadata,
    ClientMetadata,
    is_document_url,
    of_document,
    of_registration,
)
from tests.access.document_host import client_document

URL = "https://app.example/client.json"
DOCUMENT: dict[str, Any] = {
    "client_id": URL,
    "client_name": "App",
    "redirect_uris": ["https://app.example/cb"],
    "token_endpoint_auth_method": "none",
}
LOOPBACK_PAIR = ("http://127.0.0.1/callback", "http://localhost/callback")


def of(document: Any, url: str = URL) -> ClientMetadata:
    return of_document(json.dumps(document).encode(), url)


def registered(document: Any) -> ClientMetadata:
    return of_registration(json.dumps(document).encode())


# --- documents -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shown", "uris"),
    [
        ("claude_ai", "Claude", ("https://claude.ai/api/mcp/auth_callback",)),
        ("chatgpt", "ChatGPT", ("https://chatgpt.com/connector_platform_oauth_redirect",)),
        (
            "vscode",
            "Visual Studio Code",
            ("http://127.0.0.1:33418/", "http://127.0.0.1/", "https://vscode.dev/redirect"),
        ),
        ("claude_code", "Claude Code", ("http://localhost/callback", "http://127.0.0.1/callback")),
        ("codex", "Codex", LOOPBACK_PAIR),
        ("zed", "Zed", ("http://127.0.0.1/callback",)),
        ("opencode", "opencode", LOOPBACK_PAIR),
    ],
)
def test_the_documents_of_clients_that_people_use_are_accepted(name: str, shown: str, uris: tuple[str, ...]) -> None:
    document = client_document(name)
    assert is_document_url(document["client_id"])
    assert of(document, document["client_id"]) == ClientMetadata(shown, uris, GRANT_TYPES, "none")


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "https://app.example/client.json/"},
        {"client_id": "https://app.example/client.json#x"},
        {"client_id": None},
        {"client_id": [URL]},
        {"client_secret": "x"},
        {"client_secret_expires_at": 0},
        {"client_name": None},
        {"client_name": ""},
        {"client_name": "  "},
        {"client_name": {"en": "App"}},
        {"client_name": 7},
        {"client_name": "x" * 121},
        {"client_name": "App\u202eppa"},
        {"client_name": "App\0"},
        {"client_name": "A\npp"},
        {"redirect_uris": None},
        {"redirect_uris": []},
        {"redirect_uris": "https://app.example/cb"},
        {"redirect_uris": [7]},
        {"redirect_uris": {"a": 1}},
        {"redirect_uris": ["http://evil.test/cb"]},
        {"redirect_uris": ["cursor://x/y", "https://app.example/cb#x"]},
        {"redirect_uris": [f"https://app.example/{number}" for number in range(11)]},
        {"redirect_uris": ["https://app.example/" + "x" * 2048] * 2},
        {"redirect_uris": ["https://app.example/cb"] * 101},
        {"grant_types": ["client_credentials"]},
        {"grant_types": ["refresh_token"]},
        {"grant_types": []},
        {"grant_types": "authorization_code"},
        {"grant_types": [["authorization_code"]]},
        {"response_types": ["token"]},
        {"response_types": 7},
        {"token_endpoint_auth_method": "client_secret_basic"},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_methods_supported": ["tls_client_auth"]},
        {"token_endpoint_auth_method": ["none"]},
        {"token_endpoint_auth_method": None},
        {"token_endpoint_auth_methods_supported": "none"},
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_document_that_says_nothing_usable_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadMetadata):
        of({**DOCUMENT, **changes})


@pytest.mark.parametrize("missing", ["client_id", "client_name", "redirect_uris"])
def test_a_document_needs_its_id_a_name_and_where_to_send_people_back(missing: str) -> None:
    with pytest.raises(BadMetadata):
        of({name: value for name, value in DOCUMENT.items() if name != missing})


TWICE = b'{"client_id": "' + URL.encode() + b'", "client_id": "' + URL.encode() + b'"}'
DEEP = b'{"a":' * 9 + b"1" + b"}" * 9


@pytest.mark.parametrize(
    "raw", [b"", b"null", b"[]", b'"x"', b"{", b"\xff", b'{"client_id": NaN}', b'{"a": "\\ud800"}', TWICE, DEEP]
)
def test_what_is_not_strictly_json_is_refused(raw: bytes) -> None:
    with pytest.raises(BadMetadata):
        of_document(raw, URL)
    with pytest.raises(BadMetadata):
        of_registration(raw)


def test_what_is_not_offered_is_left_out_and_the_rest_is_taken() -> None:
    document = {
        **DOCUMENT,
        "client_name": "  App ",
        "redirect_uris": ["cursor://x/y", "http://evil.test/", *DOCUMENT["redirect_uris"] * 2, "http://localhost/cb"],
        "grant_types": ["implicit", "authorization_code", "urn:x"],
        "jwks": {"keys": []},
        "software_version": 7,
    }
    assert of(document) == ClientMetadata(
        "App", ("https://app.example/cb", "http://localhost/cb"), ("authorization_code",)
    )


@given(st.dictionaries(st.sampled_from([*DOCUMENT, "grant_types", "response_types"]), st.from_type(type(None)) | st.integers()
       | st.text(max_size=9) | st.lists(st.text(max_size=9) | st.integers(), max_size=3)))  # fmt: skip
def test_members_of_any_type_end_in_an_agent_or_a_refusal(changes: dict[str, Any]) -> None:
    for read in (of, registered):
        try:
            made = read({**DOCUMENT, **changes})
        except BadMetadata:
            continue
        assert made.name.isprintable()
        assert 0 < len(made.redirect_uris) <= 10


def test_the_digest_is_of_what_people_decided_about() -> None:
    digest = of(DOCUMENT).digest
    assert (
        of({**DOCUMENT, "logo_uri": "https://app.example/x.png", "grant_types": ["authorization_code"]}).digest
        == digest
    )
    two = ["https://app.example/cb", "https://app.example/cc"]
    assert (
        of({**DOCUMENT, "redirect_uris": two}).digest == of({**DOCUMENT, "redirect_uris": two[::-1]}).digest != digest
    )
    assert of({**DOCUMENT, "client_name": "Other"}).digest != digest


@pytest.mark.parametrize(
    "client_id",
    [
        "",
        "bot",
        "http://app.example/client.json",
        "https://app.example",
        "https://app.example/",
        "https://app.example/client.json?x=1",
        "https://app.example/client.json#x",
        "https://user@app.example/client.json",
        "https://App.example/client.json",
        "HTTPS://app.example/client.json",
        "https://app.example/../client.json",
        "https://app.example/a/%2E%2e/client.json",
        "https://app.example/./client.json",
        "https://app.example/client.json\0",
        "https://app.example/client json",
        "https://app.example/" + "x" * 255,
        "https:///client.json",
        "file:///etc/passwd",
    ],
)
def test_a_documents_url_has_one_spelling(client_id: str) -> None:
    assert not is_document_url(client_id)


# --- registrations -------------------------------------------------------------------------------------------


def test_a_registration_keeps_the_addresses_that_can_be_used() -> None:
    made = registered(client_document("cursor"))
    assert made == ClientMetadata(
        "Cursor", ("https://www.cursor.com/agents/mcp/oauth/callback", "http://localhost:8787/callback")
    )
    assert len(registered(client_document("vscode_registration")).redirect_uris) == 4


def test_a_registration_says_how_the_client_proves_itself_and_may_say_no_name() -> None:
    plain = {"redirect_uris": ["https://app.example:8443/cb"]}
    assert registered(plain) == ClientMetadata(
        "Client at app.example:8443", tuple(plain["redirect_uris"]), ("authorization_code",), "client_secret_basic"
    )
    assert registered({**plain, "token_endpoint_auth_method": "client_secret_post"}).auth_method == "client_secret_post"
    with pytest.raises(BadMetadata, match="offered here"):
        registered({**plain, "token_endpoint_auth_method": "tls_client_auth"})


@pytest.mark.parametrize("uris", [None, [], "x", [7], ["http://evil.test/"], ["https://a.example/x"] * 101])
def test_a_refusal_says_whether_the_addresses_were_to_blame(uris: Any) -> None:
    with pytest.raises(BadMetadata) as caught:
        registered({"redirect_uris": uris})
    assert caught.value.about_redirects
    with pytest.raises(BadMetadata) as caught:
        registered({"redirect_uris": ["https://a.example/"], "client_name": {}})
    assert not caught.value.about_redirects
