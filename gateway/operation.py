"""One request of a client and its exchanges with a server, as telemetry sees them.

Both are handed on as arguments: nothing is kept in context variables. Not safe in other threads.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from gateway import conventions, tracecontext
from gateway.conventions import OTHER
from gateway.errors import Refused
from gateway.front import Head
from gateway.metrics import Metrics
from gateway.tracecontext import TraceContext
from gateway.transport import UpstreamFailed

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from gateway.tracing import Tracing

_clock = time.perf_counter
_KINDS = {"tool": "gen_ai.tool.name", "prompt": "gen_ai.prompt.name"}
_HOP = {"network.transport": "tcp", "network.protocol.name": "http"}


class Operation:
    """One request of a client. What was not told to have ended when it is left is told by the way it was left."""

    __slots__ = (
        *("_attributes", "_context", "_ended", "_head", "_method", "_metrics", "_name", "_server", "_span", "_started"),
        *("_tracing", "_waited"),
    )

    def __init__(self, metrics: Metrics, tracing: "Tracing | None", slug: str, head: Head) -> None:
        self._started = _clock()
        self._metrics = metrics
        self._tracing = tracing
        self._server = metrics.server(slug)
        self._head = head
        self._waited = 0.0
        self._method = OTHER
        self._name = OTHER
        self._context = tracecontext.NONE
        self._span: Span | None = None
        self._attributes: dict[str, str] = {}
        self._ended = False

    def __enter__(self) -> Self:
        self._metrics.in_flight += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._metrics.in_flight -= 1
        if self._ended:
            return
        if isinstance(error, Refused):
            self.ended("denied", error.recorded_as or error.reason)
        elif error is None:
            self.ended("ok")
        else:
            self.ended("cancelled" if isinstance(error, asyncio.CancelledError) else "failed", _class_of(error))

    def asked(
        self,
        method: str,
        meta: Mapping[str, Any],
        *,
        call_id: UUID | None = None,
        request_id: object = None,
        version: str = "",
        session: str = "",
    ) -> None:
        """What is asked, once the caller is known: strangers start no spans.

        `session` is the identifier inside a session's token, never the token.
        """
        self._name = self._method = conventions.method(method)
        head = self._head
        # Of a header that comes twice nobody knows which copy others go by.
        self._context = tracecontext.read(meta, {} if tracecontext.TRACEPARENT in head.repeated else head.headers)
        if self._tracing is None:
            return
        self._attributes = {"mcp.method.name": self._method, "holdfast.server": self._server}
        told = {
            "mcp.protocol.version": version,
            "mcp.session.id": session,
            "jsonrpc.request.id": conventions.request_id(request_id),
            "holdfast.call.id": str(call_id or ""),
        }
        attributes = {**self._attributes, **_HOP, **{key: text for key, text in told.items() if text}}
        self._span = self._tracing.server(self._name, self._context, attributes, ago=_clock() - self._started)

    @property
    def trace_id(self) -> str:
        """The trace that this belongs to, 32 hexadecimal digits (the caller's where we do not trace), or nothing."""
        if self._tracing is None or self._span is None:
            return self._context.trace_id if self._context is not tracecontext.NONE else ""
        return self._tracing.trace_id(self._span)

    def about(self, kind: str, name: str) -> None:
        """The definition that is used. Only a pinned one: a name that nobody approved stands in no span."""
        key = _KINDS.get(kind)
        if self._span is None or key is None:
            return
        told = {key: name} | ({"gen_ai.operation.name": "execute_tool"} if kind == "tool" else {})
        self._attributes |= told
        self._name = f"{self._method} {name[:200]}"
        self._span.set_attributes(told)
        self._span.update_name(self._name)

    def upstream(self, url: str = "", version: str = "") -> "Leg":
        """The exchange with the server at `url`, from now on; use with `with`."""
        span = None
        if self._tracing is not None and self._span is not None:
            attributes = {**self._attributes, **_HOP, **({"mcp.protocol.version": version} if version else {})}
            span = self._tracing.client(self._name, self._span, attributes, url)
        return Leg(self._tracing, span, self._context, self._waited_for)

    def _waited_for(self, seconds: float, raw: str) -> str:
        """A leg has ended. Returns the bounded class of its error."""
        self._waited += seconds
        error = self._metrics.error_type(raw) if raw else ""
        self._metrics.exchange(self._server, self._method, error, seconds)
        return error

    def ended(self, status: str, error_type: str = "") -> None:
        """How it ended: ok, tool_error, error, failed, cancelled or denied, and the class of the error. Counts once."""
        if self._ended:
            return
        self._ended = True
        raw = "" if status == "ok" else error_type or status
        error = self._metrics.error_type(raw) if raw else ""
        seconds = _clock() - self._started
        own = max(0.0, seconds - self._waited)
        outcome = status if status in conventions.OUTCOMES else OTHER
        self._metrics.operation(self._server, self._method, outcome, error, seconds=seconds, own=own)
        if self._tracing is not None and self._span is not None:
            self._tracing.end(self._span, error, raw)


class Leg:
    """One exchange with a server, of which its operation hears how long it took."""

    __slots__ = ("_context", "_done", "_error", "_span", "_started", "_tracing")

    def __init__(
        self, tracing: "Tracing | None", span: "Span | None", context: TraceContext, done: Callable[[float, str], str]
    ) -> None:
        self._started = _clock()
        self._tracing = tracing
        self._span = span
        self._context = context
        self._done = done
        self._error = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        raw = _class_of(error) if error is not None else self._error
        error_type = self._done(_clock() - self._started, raw)
        if self._tracing is not None and self._span is not None:
            self._tracing.end(self._span, error_type, raw)

    def failed(self, error_type: str) -> None:
        """It ends without an exception and not well: a JSON-RPC code, `tool_error` or a word."""
        self._error = error_type

    def trace(self) -> dict[str, str]:
        """The members of `_meta` that carry the trace to the server: well-formed, and under our span if we trace."""
        context = self._context
        if context is tracecontext.NONE and self._span is None:
            return {}
        if self._tracing is not None and self._span is not None:
            parent = self._tracing.parent_of(self._span)
            context = TraceContext(parent, context.tracestate, context.baggage)
        return context.members()


def _class_of(error: BaseException) -> str:
    """A word for an exception, never its text."""
    if isinstance(error, UpstreamFailed):
        return error.cls
    if isinstance(error, TimeoutError):
        return "timeout"
    return "cancelled" if isinstance(error, asyncio.CancelledError) else "internal"
