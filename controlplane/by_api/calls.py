"""One request of the API as a line for a shell, and who may send it."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from django.conf import settings
from django.urls import resolve, reverse

from core.actor import Actor
from core.needs import Needs

_SIGNED: Final = '"Authorization: Bearer $HOLDFAST_TOKEN"'  # which the shell fills in; nothing of ours is in it


@dataclass(frozen=True, slots=True)
class Call:
    """A request: what it does, and how. `without`: filters of the page that the API has no counterpart of."""

    does: str
    method: str
    route: str  # its name below `api:`
    of: Mapping[str, Any] = field(default_factory=dict)  # what the path is about
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    without: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The path with its query."""
        path = reverse(f"api:{self.route}", kwargs=dict(self.of))
        return f"{path}?{urlencode(self.query)}" if self.query else path

    @property
    def line(self) -> str:
        """For a POSIX shell. Whatever a server, an agent or a person wrote is data in it: quoted, and ASCII."""
        parts = ["curl --fail-with-body -H", _SIGNED]
        if self.method != "GET":
            parts += ["-X", self.method]
        if self.body is not None:
            parts += ["-H", shlex.quote("Content-Type: application/json"), "-d", shlex.quote(json.dumps(self.body))]
        return " ".join([*parts, shlex.quote(settings.PUBLIC_URL + self.path)])

    def is_open_to(self, actor: Actor) -> bool:
        """Whether the operation asks for nothing that `actor` lacks for everything."""
        needs = self._needs()
        return needs.or_own or all(map(actor.may_somewhere, needs.permissions))

    def _needs(self) -> Needs:
        view: Any = resolve(self.path.partition("?")[0]).func
        actions: Mapping[str, str] = getattr(view, "actions", None) or {}
        declared: Mapping[str, Needs] = view.cls.needs
        return declared[actions.get(self.method.lower(), self.method.lower())]
