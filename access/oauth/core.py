"""How the toolkit reads our requests."""

from typing import Any, Final

from django.http import HttpRequest
from oauth2_provider.oauth2_backends import OAuthLibCore

from access.keys import token_key
from access.token_format import TokenKind, checksum, is_genuine

NO_CODE: Final = "none of ours"  # the hash of nothing: no query is asked for it


class Core(OAuthLibCore):
    """The toolkit stores and looks up codes as they come; here it never sees one, only its hash."""

    def extract_body(self, request: HttpRequest) -> list[tuple[str, Any]]:
        """The posted parameters, a code replaced by its hash."""
        body: list[tuple[str, Any]] = super().extract_body(request)
        return [(name, _hashed(value) if name == "code" else value) for name, value in body]


def _hashed(code: str) -> str:
    return checksum(code) if is_genuine(code, TokenKind.CODE, token_key()) else NO_CODE
