"""Every route of the console and the API with what it asks for: read from the URL map and the views beside it.

A route that declares nothing and is not among `OPEN` has no place in the matrix, and `undeclared` names it.
"""

import inspect
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.admindocs.views import simplify_regex
from django.urls import URLPattern, URLResolver, get_resolver

from core.needs import Needs

CONSOLE, API = "Console", "API"
_API_PREFIX: Final = "/api/v1/"
_PARAMETER: Final = re.compile(r"<(?:[^>:]+:)?(\w+)>")
# What asks for no person: by the name of the route, and why.
OPEN: Final = {
    "access:passkey_options": "A question to a browser; only the answer says whose passkey it is.",
    "access:second_step": "Whoever's password was right is not signed in yet.",
    "access:sign_in": "Whoever signs in is not signed in yet.",
    "access:sign_in_by_passkey": "Whoever signs in is not signed in yet.",
    "access:login": "The same page as `access:sign_in`.",
    "access:sign_out": "Ends the session of whoever sends it.",
    "access_oauth:ServerMetadata": "OAuth: answers 404, for our issuer has no path.",
    "access_oauth:authorize": "OAuth: asks whoever is signed in what a client may do for them.",
    "access_oauth:introspect": "OAuth: a server shows its own secret.",
    "access_oauth:metadata": "OAuth: how clients find the authorization server.",
    "access_oauth:register": "OAuth: a client makes itself known, where the installation lets it.",
    "access_oauth:revoke": "OAuth: a client shows its own secret.",
    "access_oauth:token": "OAuth: a client shows its own secret.",
    "api:no-such-route": "Answers 404 where the API has no route.",
    "api:schema": "The API's description holds nothing of this installation.",
    "healthz": "A load balancer asks whether the process lives.",
    "readyz": "A load balancer asks whether the process takes requests.",
}


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path. `needs` is None where nothing is declared."""

    door: str
    path: str
    method: str
    name: str
    needs: Needs | None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def routes() -> list[Route]:
    """All of them that ask for a person, by path."""
    found = [route for route in _all() if route.name not in OPEN]
    return sorted(found, key=lambda route: (route.door, route.path, route.method))


def undeclared() -> list[str]:
    """Routes whose needs nobody declared."""
    return [str(route) for route in routes() if route.needs is None]


def names() -> set[str]:
    """The names of all routes."""
    return {route.name for route in _all()}


def _all() -> Iterator[Route]:
    for path, name, view in _walked(get_resolver().url_patterns, "", ()):
        shape = getattr(view, "cls", None)  # rest_framework's
        if shape is None:
            door = API if path.startswith(_API_PREFIX) else CONSOLE
            yield from (Route(door, path, method, name, asked) for method, asked in _of_page(view))
            continue
        for method, action in _actions(view, shape):
            declared = getattr(shape, "needs", {}).get(action)
            yield Route(API, path, method.upper(), name, declared)


def _of_page(view: Any) -> list[tuple[str, Needs | None]]:
    """What a page declares for each method that it takes."""
    declared = getattr(view, "needs", None)
    if declared is None:
        return [("GET", None)]
    taken = _methods(view)
    return [(method, asked) for method, asked in declared.items() if method in taken]


def _methods(view: Any) -> list[str]:
    """What `require_http_methods` and its kin were told; Django keeps it nowhere but in what they wrap."""
    name = "request_method_list"
    checking = inspect.unwrap(view, stop=lambda wrapper: name in wrapper.__code__.co_freevars)
    return list(inspect.getclosurevars(checking).nonlocals[name])


def _actions(view: Any, shape: type[Any]) -> list[tuple[str, str]]:
    """Each method with the name that its needs are declared under: a view set's action, else the method's own."""
    mapped = getattr(view, "actions", None)
    if mapped is not None:
        return [(method, action) for method, action in mapped.items() if method != "head"]
    own = ("get", "post", "put", "patch", "delete")
    return [(method, method) for method in own if hasattr(shape, method)]


def _walked(
    patterns: Iterable[URLPattern | URLResolver], before: str, spaces: Sequence[str]
) -> Iterator[tuple[str, str, Any]]:
    """Path, name and view of each pattern below."""
    for pattern in patterns:
        path = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inside = (*spaces, pattern.namespace) if pattern.namespace else spaces
            yield from _walked(pattern.url_patterns, path, inside)
        else:
            name = pattern.name or getattr(pattern.callback, "view_class", pattern.callback).__name__
            yield _PARAMETER.sub(r"{\1}", simplify_regex(path)), ":".join((*spaces, name)), pattern.callback
