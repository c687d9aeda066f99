"""The key under which this installation's tokens are made and checked."""

from django.conf import settings

from access.token_format import TokenKey


def token_key() -> TokenKey:
    """The key of `TOKEN_KEY`, bound to `INSTALLATION_ID`."""
    return TokenKey(settings.TOKEN_KEY, settings.INSTALLATION_ID)
