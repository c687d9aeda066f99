"""Reading a server's lists to their end, page by page, in a session of the `mcp` package."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from mcp.client import ClientSession
from mcp.shared.exceptions import MCPError
from mcp_types import (
    METHOD_NOT_FOUND,
    EmptyResult,
    ListPromptsRequest,
    ListResourcesRequest,
    ListResourceTemplatesRequest,
    ListToolsRequest,
    PaginatedRequestParams,
)
from pydantic import ValidationError

from servers.limits import Limits
from servers.listing import Cursors, Found, ListOf, absorb_page
from servers.problems import ObservationFailed
from servers.surface import Kind, Problem
from servers.transport import StrictDispatcher

_REQUESTS: Final[Mapping[Kind, Any]] = {
    Kind.TOOL: ListToolsRequest,
    Kind.RESOURCE: ListResourcesRequest,
    Kind.TEMPLATE: ListResourceTemplatesRequest,
    Kind.PROMPT: ListPromptsRequest,
}


async def read_list(
    session: ClientSession, dispatcher: StrictDispatcher, of: ListOf, found: Found, limits: Limits
) -> None:
    """Add every page of one list to `found`. Raises `ObservationFailed`."""
    cursors = Cursors(limits)
    while not cursors.at_end:
        result = await _page(session, dispatcher, of, cursors.current)
        absorb_page(result, of, found, limits, dispatcher.result_bytes)
        cursors.follow(result)


async def _page(
    session: ClientSession, dispatcher: StrictDispatcher, of: ListOf, cursor: str | None
) -> Mapping[str, Any]:
    try:
        # Only the sending is the session's; what it would validate is empty, and the answer is with the dispatcher.
        with suppress(ValidationError):
            await session.send_request(_REQUESTS[of.kind](params=PaginatedRequestParams(cursor=cursor)), EmptyResult)
    except MCPError as error:
        if error.error.code == METHOD_NOT_FOUND and of.kind is Kind.TEMPLATE and cursor is None:
            return {of.field: []}  # the capability `resources` does not promise templates
        raise ObservationFailed(
            Problem.PROTOCOL_ERROR, f"The server refuses to list what it announced ({of.capability})."
        ) from error
    return dispatcher.result
