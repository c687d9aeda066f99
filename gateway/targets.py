"""Which definition a request is about, so that policy can judge it and every record of it names it. Pure module."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from gateway.errors import INVALID_PARAMS
from gateway.exchange import invalid

_URIS: Final = frozenset({"resources/read", "resources/subscribe", "resources/unsubscribe"})
_NAMES: Final[Mapping[str, str]] = {"prompts/get": "prompt", "tools/call": "tool"}


class Target(Struct, frozen=True):
    """A definition by kind and name; of a resource the URI that is asked for."""

    kind: str
    name: str


def target(method: str, params: Mapping[str, Any]) -> Target | None:
    """What a request names; None where it names nothing. Raises `Refused` where it should and does not."""
    kind = _NAMES.get(method)
    if kind is not None:
        name = params.get("name")
        return Target(kind, name if type(name) is str and name else _text(name, f"the name of a {kind}", "name"))
    if method in _URIS:
        return Target("resource", _text(params.get("uri"), "a resource's URI", "uri"))
    return _completed(params.get("ref")) if method == "completion/complete" else None


def _completed(ref: Any) -> Target:
    """What an argument is completed for (MCP, utilities, completion)."""
    if isinstance(ref, Mapping) and ref.get("type") == "ref/prompt":
        return Target("prompt", _text(ref.get("name"), "the name of a prompt", "ref.name"))
    if isinstance(ref, Mapping) and ref.get("type") == "ref/resource":
        return Target("template", _text(ref.get("uri"), "a resource's URI or template", "ref.uri"))
    raise invalid("The parameter ref must name a prompt or a resource template.", code=INVALID_PARAMS)


def _text(value: Any, what: str, parameter: str) -> str:
    if not isinstance(value, str) or not value:
        raise invalid(f"The parameter {parameter} must be {what}.", code=INVALID_PARAMS)
    return value
