"""Multi-round-trip requests (MCP 2026-07-28, patterns): a server answers with what it needs, the client asks again.

A state that a server hands out passes through the client. We seal it to principal, server, method, definition and
arguments, and for an hour, so that it returns from whom it was given to, for what it was given for (R10). Every round
is a call of its own: decided, validated and recorded.
"""

import hashlib
import time
from collections.abc import Mapping
from typing import Any, Final

from gateway import jsonrpc
from gateway.capabilities import may_ask
from gateway.errors import INVALID_PARAMS, Refused
from gateway.exchange import invalid
from gateway.protocol import NotCarried
from gateway.sealing import Seal, Unsealed

METHODS: Final = frozenset({"prompts/get", "resources/read", "tools/call"})
LIFETIME: Final = 3600  # seconds
_STATE_MAX: Final = 65_536  # characters of a server's state; as JSON it may be longer still (`LONGEST`)
_ASKED_MAX: Final = 100  # requests in one result
LONGEST: Final = 4 * _STATE_MAX  # characters of a sealed one


class Rounds:
    """Seals and opens states."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal

    def opened(self, method: str, params: Mapping[str, Any], place: tuple[str, ...]) -> dict[str, Any]:
        """The members of `params` that continue a request, as the server gave or wants them. Raises `Refused`."""
        sent: dict[str, Any] = {}
        if "inputResponses" in params:
            if method not in METHODS or not isinstance(params["inputResponses"], dict):
                raise invalid("The parameter inputResponses must be an object.", code=INVALID_PARAMS)
            sent["inputResponses"] = params["inputResponses"]
        if "requestState" in params:
            sent["requestState"] = self._open(params["requestState"], method, params, place)
        return sent

    def sealed(
        self,
        result: Mapping[str, Any],
        method: str,
        params: Mapping[str, Any],
        place: tuple[str, ...],
        capabilities: Mapping[str, Any],
    ) -> dict[str, Any]:
        """A result that asks for input, as the client may have it. Raises `NotCarried`."""
        if method not in METHODS:
            raise NotCarried("The server asks for input where the protocol has no place for it.")
        asked, state = result.get("inputRequests"), result.get("requestState")
        if asked is None and state is None:
            raise NotCarried("The server asks for input and does not say for what.")
        if asked is not None:
            check_asked(asked, capabilities)
        if state is None:
            return dict(result)
        if not isinstance(state, str) or len(state) > _STATE_MAX:
            raise NotCarried("The server's state is no text, or longer than we accept.")
        content = jsonrpc.dumps([state, int(time.time()) + LIFETIME])
        sealed = self._seal.close(content, *place, *_what(method, params))
        if len(sealed) > LONGEST:  # it could not come back
            raise NotCarried("The server's state is longer than we accept.")
        return {**result, "requestState": sealed}

    def _open(self, state: Any, method: str, params: Mapping[str, Any], place: tuple[str, ...]) -> str:
        try:
            content = self._seal.open(state if isinstance(state, str) else "", *place, *_what(method, params))
        except Unsealed as error:
            raise _foreign() from error
        message = jsonrpc.parse_value(content)
        if message[1] < time.time():
            raise _foreign()
        return str(message[0])


def check_asked(asked: Any, capabilities: Mapping[str, Any]) -> None:
    """What a server may ask of a client with these capabilities. Raises `NotCarried`."""
    if not isinstance(asked, dict) or len(asked) > _ASKED_MAX:
        raise NotCarried("What the server asks for is no object, or more than we accept.")
    for request in asked.values():
        method = request.get("method") if isinstance(request, dict) else None
        if not isinstance(method, str) or not may_ask(method, capabilities):
            raise NotCarried("The server asks for something that the client did not say it can give.")


def _what(method: str, params: Mapping[str, Any]) -> tuple[str, str, str]:
    """What a state belongs to: method, definition (by the member that policy judges), and a digest of the arguments."""
    named = params.get("uri" if method.startswith("resources/") else "name", "")
    arguments = hashlib.sha256(jsonrpc.dumps(_ordered(params.get("arguments") or {}))).hexdigest()
    return method, str(named), arguments


def _ordered(value: Any) -> Any:
    """The value with members in one order: a client may write the same arguments in another (RFC 8259, section 4)."""
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value)}
    return [_ordered(item) for item in value] if isinstance(value, list) else value


def _foreign() -> Refused:
    return invalid("The request state is not one that was issued here for this request.", code=INVALID_PARAMS)
