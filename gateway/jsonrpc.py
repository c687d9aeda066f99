"""JSON-RPC messages: strict parsing of what callers send, exact serialisation of what is sent on. Pure module.

Policy judges the parsed message and the upstream gets what was judged. So everything that two parsers could
read differently is refused: equal keys, keys that differ in case only, NaN, lone surrogates, deep nesting,
batches (removed in MCP 2025-06-18). Numbers keep the digits they came with.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson
from msgspec import Struct, field
from msgspec.structs import force_setattr

from access.intentions import KEY as INTENTION
from core import strictjson
from gateway.errors import INVALID_REQUEST, PARSE_ERROR

MAX_BODY: Final = 4 * 1024 * 1024  # bytes
MAX_METHOD: Final = 128  # characters
MAX_ID: Final = 1024  # characters of a string id

Id = int | str


class _Names(NamedTuple):
    """Names of the protocol: as they are written, and without regard to case."""

    exact: frozenset[str]
    folded: frozenset[str]


def _names(*names: str) -> _Names:
    return _Names(frozenset(names), frozenset(name.casefold() for name in names))


_ENVELOPE: Final = _names("jsonrpc", "id", "method", "params", "result", "error")
_PARAMS: Final = _names(
    "_meta", "argument", "arguments", "capabilities", "clientInfo", "cursor", "inputResponses", "level", "name",
    "progress", "progressToken", "protocolVersion", "reason", "ref", "requestId", "requestState", "task", "uri",
)  # fmt: skip
_META: Final = _names(
    "progressToken",
    "io.modelcontextprotocol/clientCapabilities",
    "io.modelcontextprotocol/clientInfo",
    "io.modelcontextprotocol/logLevel",
    "io.modelcontextprotocol/protocolVersion",
    INTENTION,
)


class Malformed(Exception):
    """The body is not one JSON-RPC message that we accept. `id` is set where it could be read."""

    def __init__(self, code: int, message: str, *, id: Id | None = None) -> None:  # noqa: A002 -- JSON-RPC's own name
        super().__init__(message)
        self.code = code
        self.message = message
        self.id = id


class Request(Struct, frozen=True):
    """A request, which is owed exactly one answer."""

    id: Id
    method: str
    params: Mapping[str, Any] = field(default_factory=dict)

    meta: Mapping[str, Any] = field(default_factory=dict)  # `params._meta`, empty where there is none

    def __post_init__(self) -> None:
        found = self.params.get("_meta")
        if type(found) is dict:
            force_setattr(self, "meta", found)


class Notification(Struct, frozen=True):
    """A message that is owed no answer."""

    method: str
    params: Mapping[str, Any] = field(default_factory=dict)


class Response(Struct, frozen=True):
    """An answer to a request of the other side: a result or an error."""

    id: Id | None
    result: Any = None
    error: Mapping[str, Any] | None = None
    raw: bytes = b""  # of the result, just as it was received; empty where that is not known


Message = Request | Notification | Response


class ExactFloat(float):
    """A number whose shortest float form differs from the digits that were received."""

    text: str


def exact_float(text: str) -> float:
    """Parse a number with a fraction or exponent so that `dumps` writes the digits it came with."""
    value = strictjson.finite(text)
    if repr(value) == text and "e" not in text:  # encoders write exponents each in their own way
        return value
    exact = ExactFloat(value)
    exact.text = text
    return exact


def parse(raw: bytes) -> Message:
    """One message from a caller's body. Raises `Malformed`."""
    if len(raw) > MAX_BODY:
        raise Malformed(INVALID_REQUEST, f"the body is larger than {MAX_BODY} bytes")
    try:
        value = strictjson.loads(raw, parse_float=exact_float)
    except strictjson.MalformedJSON as error:
        raise Malformed(PARSE_ERROR, f"Parse error: {error}") from error
    return message(value)


def parse_value(raw: bytes) -> Any:
    """JSON that we wrote ourselves. Raises `MalformedJSON`."""
    return strictjson.loads(raw)


def message(value: Any, *, raw: bytes = b"") -> Message:
    """One message from parsed JSON, `raw` being what was parsed. Raises `Malformed`."""
    if type(value) is dict and len(value) == 3 and "result" in value and value.get("jsonrpc") == "2.0":
        # The usual answer: its three members are the protocol's own, so none can be a variant of another.
        answered = value.get("id")
        if type(answered) is int:
            return Response(answered, result=value["result"], raw=_raw_result(raw, answered))
    return _any_message(value, raw)


def _any_message(value: Any, raw: bytes) -> Message:
    if isinstance(value, list):
        raise Malformed(INVALID_REQUEST, "Batches are not accepted; send one message per request")
    if not isinstance(value, dict):
        raise Malformed(INVALID_REQUEST, "The body must be one JSON-RPC message object")
    found = value.get("id")
    id_ = found if type(found) is int or is_id(found) else None
    if not _ENVELOPE.exact.issuperset(value):
        _refuse_variants(value, _ENVELOPE, id_)
    if value.get("jsonrpc") != "2.0":
        raise Malformed(INVALID_REQUEST, 'The member "jsonrpc" must be "2.0"', id=id_)
    if "method" in value:
        return _call(value, id_)
    return _answer(value, id_, raw)


def _call(value: dict[str, Any], id_: Id | None) -> Request | Notification:
    method, params = value["method"], value.get("params")
    if not isinstance(method, str) or not 0 < len(method) <= MAX_METHOD:
        raise Malformed(INVALID_REQUEST, 'The member "method" must be a short string', id=id_)
    if "result" in value or "error" in value:
        raise Malformed(INVALID_REQUEST, "A message is a request or an answer, never both", id=id_)
    if params is None:
        params = {}
    if not isinstance(params, dict):
        raise Malformed(INVALID_REQUEST, 'The member "params" must be an object', id=id_)
    if not _PARAMS.exact.issuperset(params):
        _refuse_variants(params, _PARAMS, id_)
    meta = params.get("_meta")
    if meta is not None:
        if not isinstance(meta, dict):
            raise Malformed(INVALID_REQUEST, 'The member "params._meta" must be an object', id=id_)
        if not _META.exact.issuperset(meta):
            _refuse_variants(meta, _META, id_)
    if "id" not in value:
        return Notification(method, params)
    if id_ is None:
        raise Malformed(INVALID_REQUEST, 'The member "id" must be a string or a whole number')
    return Request(id_, method, params)


def _answer(value: dict[str, Any], id_: Id | None, raw: bytes) -> Response:
    if ("result" in value) == ("error" in value):
        raise Malformed(INVALID_REQUEST, "The message is neither a request nor an answer", id=id_)
    if id_ is None and value.get("id", 0) is not None:
        raise Malformed(INVALID_REQUEST, 'The member "id" must be a string or a whole number')
    if "result" in value:
        return Response(id_, value["result"], None, _raw_result(raw, id_) if len(value) == 3 else b"")
    error = value["error"]
    well_formed = isinstance(error, dict) and _is_int(error.get("code")) and isinstance(error.get("message"), str)
    if not well_formed:
        raise Malformed(INVALID_REQUEST, "The error holds no code and message", id=id_)
    return Response(id_, error=error)


def _raw_result(raw: bytes, id_: Id | None) -> bytes:
    """The bytes of the result in an answer of exactly three members, in the orders that servers write them.

    The answer was parsed, so what stands between these ends is the result and nothing else: at either end a quotation
    mark within a text would be escaped, and the last bracket closes the answer.
    """
    raw = raw.strip()
    if type(id_) is not int:
        return b""
    head, tail = b'{"jsonrpc":"2.0","id":%d,"result":' % id_, b"}"
    if not raw.startswith(head):
        head, tail = b'{"result":', b',"jsonrpc":"2.0","id":%d}' % id_
    return raw[len(head) : len(raw) - len(tail)] if raw.startswith(head) and raw.endswith(tail) else b""


def _refuse_variants(value: Mapping[str, Any], names: _Names, id_: Id | None) -> None:
    for key in value.keys() - names.exact:
        if key.casefold() in names.folded:
            raise Malformed(INVALID_REQUEST, "A member's name differs from a protocol name in case only", id=id_)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_id(value: Any) -> bool:
    """Whether a value can be the id of a request: a whole number or a short text."""
    return _is_int(value) or (isinstance(value, str) and len(value) <= MAX_ID)


def call_bytes(id_: Id, method: str, params: Mapping[str, Any]) -> bytes:
    """A request on the wire."""
    return dumps({"jsonrpc": "2.0", "id": id_, "method": method, "params": params})


def notification_bytes(method: str, params: Mapping[str, Any] | None = None) -> bytes:
    """A notification on the wire."""
    members: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    return dumps(members if params is None else {**members, "params": params})


def result_bytes(id_: Id, result: bytes) -> bytes:
    """An answer around a result that is serialised already, so that approved text stays byte for byte."""
    if type(id_) is int:
        return b'{"jsonrpc":"2.0","id":%d,"result":%b}' % (id_, result)
    return b'{"jsonrpc":"2.0","id":' + dumps(id_) + b',"result":' + result + b"}"


def error_bytes(id_: Id | None, error: Mapping[str, Any]) -> bytes:
    """An error answer; `id` is null where the request's could not be read."""
    return dumps({"jsonrpc": "2.0", "id": id_, "error": error})


def dumps(value: Any) -> bytes:
    """Compact JSON in UTF-8, numbers with the digits they came with."""
    try:
        return orjson.dumps(value, _exactly)
    except TypeError:
        # Integers beyond 64 bit are the standard library's to write.
        return "".join(_pieces(value)).encode()


def _exactly(value: Any) -> Any:
    if type(value) is ExactFloat:
        return orjson.Fragment(value.text)
    raise TypeError


def _pieces(value: Any) -> list[str]:
    """`json.dumps` in pieces; its encoder never asks a subclass of float how to write it."""
    if isinstance(value, Mapping):
        inner = [[json.dumps(key, ensure_ascii=False), ":", *_pieces(item)] for key, item in value.items()]
        return ["{", *_joined(inner), "}"]
    if isinstance(value, list):
        return ["[", *_joined([_pieces(item) for item in value]), "]"]
    if isinstance(value, ExactFloat):
        return [value.text]
    return [json.dumps(value, ensure_ascii=False, allow_nan=False)]


def _joined(groups: list[list[str]]) -> list[str]:
    found: list[str] = []
    for index, group in enumerate(groups):
        if index:
            found.append(",")
        found.extend(group)
    return found
