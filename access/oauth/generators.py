"""Generators of tokens for the toolkit, which calls them with the oauthlib request."""

from access.keys import token_key
from access.token_format import TokenKind, mint


def access_token(_request: object, _refresh_token: object = None) -> str:
    """A fresh access token."""
    return mint(TokenKind.ACCESS, token_key())


def refresh_token(_request: object) -> str:
    """A fresh refresh token."""
    return mint(TokenKind.REFRESH, token_key())
