"""What a client says about itself, as an agent of ours. Pure module.

Two ways lead here: a client id metadata document (the client's id is the URL of a document that it publishes) and
dynamic registration (RFC 7591). Both are requests, and RFC 7591, 3.2.1 lets a server grant less than was asked: real
clients list grant types, methods and redirect URIs of several worlds at once. So what we do not offer is left out, and
only a client of which nothing usable remains is refused. Members that are not named here are ignored.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from access.names import NAME_MAX
from access.redirects import URI_MAX, URIS_MAX, problem, shown_host, usable
from core.canonical import canonical_bytes
from core.strictjson import MalformedJSON, loads

DOCUMENT_URL_MAX: Final = 255  # characters; the table's column, and no published one is half as long
GRANT_TYPES: Final = ("authorization_code", "refresh_token")
SECRET_METHODS: Final = ("client_secret_basic", "client_secret_post")
_LISTED_MAX: Final = 100  # entries of any list
_DEPTH_MAX: Final = 8
_DOCUMENT_URL: Final = re.compile(
    r"https://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?(/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)+"
)
_DOTS: Final = frozenset({".", "..", "%2e", ".%2e", "%2e.", "%2e%2e"})


class BadMetadata(ValueError):
    """Nothing that can be an agent here; `about_redirects`: because of the redirect URIs."""

    def __init__(self, sentence: str, *, about_redirects: bool = False) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.about_redirects = about_redirects


@dataclass(frozen=True, slots=True)
class ClientMetadata:
    """What is taken of it. `auth_method` is `none`, or one of `SECRET_METHODS` by registration only."""

    name: str
    redirect_uris: tuple[str, ...]
    grant_types: tuple[str, ...] = GRANT_TYPES
    auth_method: str = "none"

    @property
    def digest(self) -> str:
        """SHA-256 of the members that people decided about: another digest is another client to them."""
        members = {"client_name": self.name, "redirect_uris": sorted(self.redirect_uris)}
        return hashlib.sha256(canonical_bytes(members)).hexdigest()


def is_document_url(client_id: str) -> bool:
    """Whether `client_id` can be the URL of a document: https, with a path, in one spelling, without a query."""
    if len(client_id) > DOCUMENT_URL_MAX or _DOCUMENT_URL.fullmatch(client_id) is None:
        return False
    path = client_id.removeprefix("https://").partition("/")[2]
    return bool(path) and not _DOTS & {segment.lower() for segment in path.split("/")}


def of_document(raw: bytes, url: str) -> ClientMetadata:
    """The client that publishes `raw` at `url`. Raises `BadMetadata`."""
    members = _members(raw)
    if members.get("client_id") != url:
        raise BadMetadata("The document's client_id is not its own URL.")
    if "client_secret" in members or "client_secret_expires_at" in members:
        raise BadMetadata("The document holds a secret, which is none once it is published.")
    if "client_name" not in members:
        raise BadMetadata("The document has no client_name.")
    return ClientMetadata(
        name=_name(members, ""),
        redirect_uris=_redirect_uris(members),
        grant_types=_grant_types(members),
        auth_method=_method(members, ("none",), default="none"),
    )


def of_registration(raw: bytes) -> ClientMetadata:
    """The client that asks to be registered by `raw`. Raises `BadMetadata`."""
    members = _members(raw)
    uris = _redirect_uris(members)
    return ClientMetadata(
        name=_name(members, f"Client at {shown_host(uris[0])}"[:NAME_MAX]),
        redirect_uris=uris,
        grant_types=_grant_types(members),
        auth_method=_method(members, ("none", *SECRET_METHODS), default="client_secret_basic"),
    )


def _members(raw: bytes) -> Mapping[str, Any]:
    try:
        members = loads(raw, max_depth=_DEPTH_MAX)
    except MalformedJSON as error:
        raise BadMetadata(f"The metadata is not acceptable: {error}.") from None
    if not isinstance(members, dict):
        raise BadMetadata("The metadata is no JSON object.")
    return members


def _name(members: Mapping[str, Any], default: str) -> str:
    name = members.get("client_name", default)
    if not isinstance(name, str) or not 0 < len(name.strip()) <= NAME_MAX or not name.strip().isprintable():
        raise BadMetadata(f"client_name is not 1 to {NAME_MAX} printable characters.")
    return name.strip()


def _redirect_uris(members: Mapping[str, Any]) -> tuple[str, ...]:
    listed = _texts(members, "redirect_uris", (), about_redirects=True)
    found = usable(listed)
    if not found:
        why = problem(listed[0]) if listed else "At least one is needed."
        raise BadMetadata(f"No redirect URI can be used. {why}", about_redirects=True)
    if len(found) > URIS_MAX:
        raise BadMetadata(f"At most {URIS_MAX} redirect URIs.", about_redirects=True)
    return tuple(found)


def _grant_types(members: Mapping[str, Any]) -> tuple[str, ...]:
    asked = _texts(members, "grant_types", GRANT_TYPES[:1])
    if GRANT_TYPES[0] not in asked:
        raise BadMetadata(f"grant_types lacks {GRANT_TYPES[0]}, the one that clients registered this way can use.")
    if "code" not in _texts(members, "response_types", ("code",)):
        raise BadMetadata("response_types lacks code.")
    return tuple(grant_type for grant_type in GRANT_TYPES if grant_type in asked)


def _method(members: Mapping[str, Any], offered: tuple[str, ...], *, default: str) -> str:
    chosen = members.get("token_endpoint_auth_method", default)
    if not isinstance(chosen, str):
        raise BadMetadata("token_endpoint_auth_method is not text.")
    # A client that prefers what we do not offer may list what else it can do (`private_key_jwt` beside `none`).
    able = (chosen, *_texts(members, "token_endpoint_auth_methods_supported", ()))
    method = next((each for each in able if each in offered), None)
    if method is None:
        raise BadMetadata(f"The client authenticates in no way that is offered here: {', '.join(offered)}.")
    return method


def _texts(
    members: Mapping[str, Any], name: str, default: tuple[str, ...], *, about_redirects: bool = False
) -> tuple[str, ...]:
    value = members.get(name, default)
    if isinstance(value, list | tuple) and len(value) <= _LISTED_MAX:
        texts = tuple(value)
        if all(isinstance(text, str) and len(text) <= URI_MAX for text in texts):
            return texts
    raise BadMetadata(
        f"{name} is no list of at most {_LISTED_MAX} texts of at most {URI_MAX} characters.",
        about_redirects=about_redirects,
    )
