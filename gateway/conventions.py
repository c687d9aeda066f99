"""Names of telemetry, and the bounds of what may stand in it. Pure module.

Source: OpenTelemetry semantic conventions for MCP (GenAI conventions, `docs/gen-ai/mcp.md`, status Development). A
value that a caller or a server chose freely is folded into `_OTHER`: nobody outside can make series without end.
"""

import re
from typing import Final

OTHER: Final = "_OTHER"  # the conventions' own word for "something else"

METHODS: Final = frozenset(
    {
        "completion/complete",
        "elicitation/create",
        "initialize",
        "logging/setLevel",
        "notifications/cancelled",
        "notifications/elicitation/complete",
        "notifications/initialized",
        "notifications/message",
        "notifications/progress",
        "notifications/prompts/list_changed",
        "notifications/resources/list_changed",
        "notifications/resources/updated",
        "notifications/roots/list_changed",
        "notifications/subscriptions/acknowledged",
        "notifications/tasks/status",
        "notifications/tools/list_changed",
        "ping",
        "prompts/get",
        "prompts/list",
        "resources/list",
        "resources/read",
        "resources/subscribe",
        "resources/templates/list",
        "resources/unsubscribe",
        "roots/list",
        "sampling/createMessage",
        "server/discover",
        "subscriptions/listen",
        "tasks/cancel",
        "tasks/get",
        "tasks/list",
        "tasks/result",
        "tasks/update",
        "tools/call",
        "tools/list",
    }
)
OUTCOMES: Final = frozenset({"ok", "tool_error", "error", "failed", "cancelled", "denied"})

# The conventions' boundaries, with finer ones below: what the gateway itself adds is a millisecond or two. In seconds.
OPERATION_BUCKETS: Final = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    *(1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0),
)
OWN_BUCKETS: Final = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0)
SESSION_BUCKETS: Final = (1.0, 10.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 43_200.0, 86_400.0)
COMMIT_BUCKETS: Final = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 2.0)
BATCH_BUCKETS: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)  # records

_RPC: Final = re.compile(r"(?:jsonrpc )?(?P<code>-?[0-9]{1,10})")
_WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
# Codes that JSON-RPC 2.0 and MCP define; a server may invent any other number.
_CODES: Final = frozenset(
    {
        *("-32700", "-32600", "-32601", "-32602", "-32603"),
        *("-32000", "-32001", "-32002", "-32020", "-32021", "-32022", "-32042", "-32800"),
    }
)
_WORDS_MAX: Final = 128


class ErrorTypes:
    """Folds classes of error into a bounded set: known codes, and words of our own up to a number of them."""

    def __init__(self) -> None:
        self._words: set[str] = set()

    def bounded(self, text: str) -> str:
        """`text` as a value of `error.type`: a JSON-RPC code that is known, a word, or `_OTHER`."""
        if text in self._words or not text:
            return text
        code = rpc_code(text)
        if code:
            return code if code in _CODES else OTHER
        if len(self._words) >= _WORDS_MAX or not _WORD.fullmatch(text):
            return OTHER
        self._words.add(text)
        return text


def method(name: str) -> str:
    """`name` if MCP defines such a method."""
    return name if name in METHODS else OTHER


def rpc_code(text: str) -> str:
    """The code in `jsonrpc -32602` or `-32602`, else nothing."""
    match = _RPC.fullmatch(text)
    return match["code"] if match else ""


def request_id(value: object) -> str:
    """A JSON-RPC id as it may stand on a span: a number or a short plain word, else nothing."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return ""
    text = str(value)[:65]
    return text if _PLAIN_ID.fullmatch(text) else ""
