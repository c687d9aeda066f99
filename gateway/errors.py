"""Every way in which the gateway says no, and how each is answered on the wire. Pure module.

JSON-RPC's own codes are used where the specification asks for them (-326xx; -32020 to -32022 of MCP
2026-07-28); our own stay in -32000 to -32019. -32000 to -32002 are left alone, because SDKs use them; -32002 is
MCP 2025-11-25's own for a resource that is not there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from access.intentions import BYTES_MAX, KEY
from access.policy import Reason

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
RESOURCE_NOT_FOUND: Final = -32002  # of the handshake era; INVALID_PARAMS since 2026-07-28
HEADER_MISMATCH: Final = -32020
MISSING_CAPABILITY: Final = -32021
UNSUPPORTED_PROTOCOL_VERSION: Final = -32022
REQUEST_CANCELLED: Final = -32800  # answers a cancelled request of the handshake era, whose streams end with an answer

DENIED: Final = -32004
WITHHELD: Final = -32005
SERVER_UNAVAILABLE: Final = -32006
POLICY_STALE: Final = -32007
AUDIT_UNAVAILABLE: Final = -32008
UPSTREAM_FAILED: Final = -32010
NOT_CARRIED: Final = -32011
SHUTTING_DOWN: Final = -32012
SERVER_BUSY: Final = -32013

# Codes that the 2026-07-28 transport answers with a status of their own; everything else is 200.
_MODERN_STATUS: Final[Mapping[int, int]] = {
    PARSE_ERROR: 400,
    INVALID_REQUEST: 400,
    INVALID_PARAMS: 400,
    HEADER_MISMATCH: 400,
    MISSING_CAPABILITY: 400,
    UNSUPPORTED_PROTOCOL_VERSION: 400,
    METHOD_NOT_FOUND: 404,
}


class Refused(Exception):
    """A request that is not carried out: JSON-RPC error, HTTP status and headers of its answer.

    `reason` is a `Reason` for what policy refused and a plain word for what failed on the way. `status` is
    None where the protocol era decides it (`http_status`). `recorded_as` is the reason that the audit record
    keeps, None where there is none to keep (nobody known asked). `readable`: the caller gets a result that its model
    can read (`isError`), not an error (docs/adr/0014-unknown-tools.md).
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        code: int,
        status: int | None = None,
        data: Mapping[str, Any] | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        recorded_as: str | None = "",
        readable: bool = False,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.code = code
        self.status = status
        self.data = dict(data or {})
        self.headers = headers
        self.recorded_as = reason if recorded_as == "" else recorded_as
        self.readable = readable

    def payload(self, request_id: str) -> dict[str, Any]:
        """The JSON-RPC `error` member."""
        return {"code": self.code, "message": self.message, "data": {**self.data, **self.details(request_id)}}

    def details(self, request_id: str) -> dict[str, str]:
        """What every refusal says of itself, on whatever way it goes."""
        return {"code": word(self.code), "reason": self.reason, "request_id": request_id, "message": self.message}


@dataclass(frozen=True, slots=True)
class _Shape:
    code: int
    status: int | None
    message: str


_SHOWN: Final = 200  # characters of a caller's own text that an error repeats
_RETRY: Final = (("retry-after", "1"),)
_SHAPES: Final[Mapping[Reason, _Shape]] = {
    Reason.AGENT_INACTIVE: _Shape(DENIED, 403, "This agent is suspended."),
    Reason.AUDIT_UNAVAILABLE: _Shape(AUDIT_UNAVAILABLE, 503, "The call cannot be recorded now, so it is refused."),
    Reason.DEFINITION_QUARANTINED: _Shape(WITHHELD, None, "Withheld until a person has reviewed it."),
    Reason.INSUFFICIENT_SCOPE: _Shape(DENIED, 403, "The access token lacks a scope that this operation needs."),
    Reason.INTENTION_REQUIRED: _Shape(
        DENIED,
        None,
        f'This call must say why it is made: set "{KEY}" in params._meta to a text of at most {BYTES_MAX} bytes.',
    ),
    Reason.INVALID_ARGUMENTS: _Shape(INVALID_PARAMS, None, "The arguments do not fit."),
    Reason.INVALID_REQUEST: _Shape(INVALID_REQUEST, 400, "This is not a valid request."),
    Reason.INVALID_RESULT: _Shape(UPSTREAM_FAILED, None, "The result does not fit the approved output schema."),
    Reason.INVALID_TOKEN: _Shape(DENIED, 401, "An access token for this endpoint is needed."),
    Reason.METHOD_NOT_SUPPORTED: _Shape(METHOD_NOT_FOUND, None, "Method not found"),
    Reason.NOT_GRANTED: _Shape(DENIED, 403, "No role of yours reaches this server."),
    Reason.NOT_SHOWN: _Shape(INVALID_PARAMS, None, "There is no such definition."),
    Reason.PERSON_INACTIVE: _Shape(DENIED, 403, "This person's account is deactivated."),
    Reason.PIN_EXPIRED: _Shape(WITHHELD, None, "The approval of this definition has expired; it waits for a review."),
    Reason.POLICY_STALE: _Shape(POLICY_STALE, 503, "The policy in force cannot be read now, so the call is refused."),
    Reason.SERVER_BUSY: _Shape(SERVER_BUSY, 503, "This server has as much under way as it may have."),
    Reason.SCHEMA_UNUSABLE: _Shape(WITHHELD, None, "Its schema cannot be checked against, so it is withheld."),
    Reason.SCHEME_NOT_ALLOWED: _Shape(INVALID_PARAMS, None, "Resource not found"),
    Reason.SERVER_NOT_ACTIVE: _Shape(SERVER_UNAVAILABLE, None, "This server is not active."),
    Reason.SERVER_WITHHELD: _Shape(WITHHELD, None, "This server changed; it is withheld until a review."),
    Reason.SUSPENDED: _Shape(DENIED, 403, "This is suspended until a second person lifts it."),
    Reason.UNKNOWN_DEFINITION: _Shape(INVALID_PARAMS, None, "There is no such definition."),
    Reason.UNKNOWN_SERVER: _Shape(DENIED, 404, "There is no such server."),
    Reason.WRONG_AUDIENCE: _Shape(DENIED, 401, "The access token was issued for another endpoint."),
}
_WORDS: Final[Mapping[int, str]] = {
    PARSE_ERROR: "parse_error",
    INVALID_REQUEST: "invalid_request",
    METHOD_NOT_FOUND: "method_not_found",
    INVALID_PARAMS: "invalid_params",
    INTERNAL_ERROR: "internal_error",
    MISSING_CAPABILITY: "missing_capability",
    RESOURCE_NOT_FOUND: "resource_not_found",
    HEADER_MISMATCH: "header_mismatch",
    UNSUPPORTED_PROTOCOL_VERSION: "unsupported_protocol_version",
    REQUEST_CANCELLED: "request_cancelled",
    DENIED: "denied",
    WITHHELD: "withheld",
    SERVER_UNAVAILABLE: "server_unavailable",
    POLICY_STALE: "policy_stale",
    AUDIT_UNAVAILABLE: "audit_unavailable",
    UPSTREAM_FAILED: "upstream_failed",
    NOT_CARRIED: "not_carried",
    SHUTTING_DOWN: "shutting_down",
    SERVER_BUSY: "server_busy",
}


def refuse(
    reason: Reason, message: str = "", *, headers: tuple[tuple[str, str], ...] = (), recorded: bool = True
) -> Refused:
    """The refusal that belongs to a policy reason."""
    shape = _SHAPES[reason]
    return Refused(
        reason,
        message or shape.message,
        code=shape.code,
        status=shape.status,
        headers=headers + (_RETRY if shape.status == 503 else ()),
        recorded_as=reason if recorded and reason is not Reason.AUDIT_UNAVAILABLE else None,
    )


def intention_required(kind: str) -> Refused:
    """The refusal of a call that does not say why; of a tool's the model learns it."""
    shape = _SHAPES[Reason.INTENTION_REQUIRED]
    return Refused(Reason.INTENTION_REQUIRED, shape.message, code=shape.code, readable=kind == "tool")


def unknown_tool(name: str, *, recorded_as: Reason) -> Refused:
    """The answer for a tool that is not there, and for one that the caller may not know of."""
    message = f"Unknown tool: {name[:_SHOWN]}"
    return Refused(Reason.UNKNOWN_DEFINITION, message, code=INVALID_PARAMS, recorded_as=recorded_as, readable=True)


def unknown_prompt(name: str, *, recorded_as: Reason) -> Refused:
    """As `unknown_tool`, for a prompt (MCP 2026-07-28, prompts, "Error Handling")."""
    message = f"Unknown prompt: {name[:_SHOWN]}"
    return Refused(Reason.UNKNOWN_DEFINITION, message, code=INVALID_PARAMS, recorded_as=recorded_as)


def unknown_resource(uri: str, *, modern: bool, recorded_as: Reason) -> Refused:
    """As `unknown_tool`, for a URI; one whose scheme is not allowed is answered alike.

    MCP 2025-11-25 and 2026-07-28, resources, "Error Handling": the code is another one in each.
    """
    code = INVALID_PARAMS if modern else RESOURCE_NOT_FOUND
    data = {"uri": uri[:_SHOWN]}
    return Refused(Reason.UNKNOWN_DEFINITION, "Resource not found", code=code, data=data, recorded_as=recorded_as)


def word(code: int) -> str:
    """The stable word that stands beside a numeric code."""
    return _WORDS.get(code, "error")


def http_status(refused: Refused, *, modern: bool) -> int:
    """The HTTP status of a refusal in the client's protocol era."""
    if refused.status is not None:
        return refused.status
    return modern_status(refused.code) if modern else 200


def modern_status(code: int) -> int:
    """The HTTP status that MCP 2026-07-28 gives to a JSON-RPC error code."""
    return _MODERN_STATUS.get(code, 200)
