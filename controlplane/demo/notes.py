"""The demo server `notes`: tools that read and write, resources, a template and a prompt. It never drifts."""

from typing import Annotated

from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations
from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse

_NOTES: dict[str, str] = {
    "groceries": "Bread, coffee, two lemons.",
    "standup": "Poll interval is fifteen seconds; the gateway follows within one.",
}
_LIMIT = 1000
_READS = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
_Title = Annotated[str, Field(description="The note's title", max_length=80)]

server = MCPServer(
    name="notes",
    title="Notes",
    version="1.0.0",
    instructions="Short notes, kept in memory. Look with list_notes before you write.",
    log_level="WARNING",
)


@server.tool(title="List notes", annotations=_READS)
def list_notes() -> list[str]:
    """List the titles of all notes."""
    return sorted(_NOTES)


@server.tool(title="Read note", annotations=_READS)
def read_note(title: _Title) -> str:
    """Read one note."""
    if title not in _NOTES:
        raise ValueError(f"There is no note '{title}'.")
    return _NOTES[title]


@server.tool(title="Search notes", annotations=_READS)
def search_notes(
    text: Annotated[str, Field(description="Text to look for", min_length=1, max_length=200)],
    limit: Annotated[int, Field(description="At most so many titles", ge=1, le=50)] = 10,
) -> list[str]:
    """Find notes whose title or text contains a text."""
    wanted = text.casefold()
    found = [title for title, note in sorted(_NOTES.items()) if wanted in f"{title}\n{note}".casefold()]
    return found[:limit]


@server.tool(title="Write note", annotations=ToolAnnotations(destructive_hint=False, open_world_hint=False))
def write_note(title: _Title, text: Annotated[str, Field(description="What it shall say", max_length=4000)]) -> str:
    """Write a note, or replace what it says."""
    if title not in _NOTES and len(_NOTES) >= _LIMIT:
        raise ValueError("There is no room for more notes.")
    _NOTES[title] = text
    return f"Note '{title}' holds {len(text)} characters."


@server.tool(title="Delete note", annotations=ToolAnnotations(destructive_hint=True, open_world_hint=False))
def delete_note(title: _Title) -> str:
    """Delete a note for good."""
    return f"Note '{title}' was deleted." if _NOTES.pop(title, None) is not None else f"There was no note '{title}'."


@server.resource("notes://index", name="index", title="All titles", mime_type="text/plain")
def index() -> str:
    """The titles of all notes, one on a line."""
    return "\n".join(sorted(_NOTES))


@server.resource("notes://note/{title}", name="note", title="One note", mime_type="text/plain")
def note(title: str) -> str:
    """What one note says."""
    return _NOTES.get(title, "")


@server.prompt(title="Summarise a note")
def summarise(title: str) -> str:
    """Ask for a summary of one note."""
    return f"Read the note '{title}' and summarise it in one sentence."


@server.custom_route("/healthz", methods=["GET"])
async def healthz(_request: Request) -> JSONResponse:
    """The process answers."""
    return JSONResponse({"status": "ok"})


application = server.streamable_http_app()
