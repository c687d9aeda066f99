"""The scopes that the toolkit knows of, and what scopes mean in words."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from oauth2_provider.scopes import BaseScopes

from core.scopes import CONNECT

_KINDS = {
    "prompt": gettext_noop("Use the prompt %s"),
    "resource": gettext_noop("Read the resource %s"),
    "template": gettext_noop("Read resources of the template %s"),
    "tool": gettext_noop("Call the tool %s, even where it is marked sensitive"),
}


def in_words(scopes: Iterable[str]) -> list[str]:
    """What each of these well-formed scopes lets an agent do."""
    return [_said(scope) for scope in scopes]


def _said(scope: str) -> str:
    parts = scope.split(":")
    if scope == CONNECT:
        return _("Connect to the server")
    if parts[2] == "read":
        return _("List what the server offers, read its resources and use its prompts")
    if parts[2] == "call":
        return _("Call its tools, except those marked sensitive")
    return _(_KINDS[parts[2]]) % unquote(parts[3])


class McpScopes(BaseScopes):
    """The baseline only. Which scopes a token request may name depends on its resource: see the validator."""

    def get_all_scopes(self) -> dict[str, str]:
        """Scope and description."""
        return {CONNECT: "Connect to a server and list what it offers"}

    def get_available_scopes(
        self, application: Any = None, request: Any = None, *args: Any, **kwargs: Any
    ) -> list[str]:
        """What may be asked for without regard to a resource."""
        return [CONNECT]

    def get_default_scopes(self, application: Any = None, request: Any = None, *args: Any, **kwargs: Any) -> list[str]:
        """What is given when nothing is asked for, without regard to a resource."""
        return [CONNECT]
