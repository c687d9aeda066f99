"""What people paste to say which server: a URL, or a client's configuration (`mcp.json`) with one or several. Pure.

Nothing here keeps a value of the configuration but names and addresses: headers and variables hold secrets.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from core.errors import Invalid
from core.names import SLUG_MAX
from core.strictjson import MalformedJSON, loads
from tools.scanner.entries import Entry

SERVERS_MAX: Final = 100
_NAME_MAX: Final = 200
_KEYS: Final = ("mcpServers", "servers", "context_servers", "mcp")
# As clients read their files: comments and commas before a bracket are left out, strings passed over whole.
_COMMENTS: Final = re.compile(r'("(?:[^"\\]++|\\.)*+"?)|//[^\n]*+|/\*(?:[^*]++|\*(?!/))*+(?:\*/)?', re.DOTALL)
_COMMAS: Final = re.compile(r'("(?:[^"\\]++|\\.)*+"?)|,(?=\s*[}\]])', re.DOTALL)
_SAYS_NOTHING: Final = frozenset({"www", "mcp", "api", "sse", "gateway", "app", "server"})
SENTENCES: Final[Mapping[str, str]] = {
    "program": "It starts a program on the computer of whoever uses it and has no URL. Run it behind Streamable HTTP, "
    "and give that URL.",
    "no_url": "This entry has no URL.",
    "no_object": "This entry is no object.",
    "sse": "It speaks HTTP+SSE; give its Streamable HTTP URL.",
}


@dataclass(frozen=True, slots=True)
class Pasted:
    """One server that was pasted. `left_out`: names of headers and variables, whose values are not taken along."""

    name: str
    url: str
    left_out: tuple[str, ...] = ()
    problem: str = ""


def read(text: str) -> tuple[Pasted, ...]:
    """The servers that `text` names, at least one. Raises `Invalid` at `url`."""
    plain = text.strip()
    if not plain.startswith(("{", "[", "//", "/*")):
        return (Pasted("", plain),)
    found = tuple(_entry(name, body) for name, body in _servers(_parsed(plain)).items())
    if not found:
        raise Invalid("This configuration names no server.", field="url")
    if len(found) > SERVERS_MAX:
        raise Invalid(f"This configuration names more than {SERVERS_MAX} servers; paste a part of it.", field="url")
    return found


def suggested_slug(pasted: Pasted) -> str:
    """A namespace for it: of its name in the configuration, else of what its address says."""
    return _slug(pasted.name) or _slug(_said_by(pasted.url)) or "server"


def _parsed(text: str) -> Any:
    kept = _COMMAS.sub(r"\1", _COMMENTS.sub(r"\1", text))
    try:
        return loads(kept.encode("utf-8", "surrogatepass"))
    except MalformedJSON as error:
        raise Invalid(f"This is no JSON: {error}.", field="url") from error


def _servers(value: Any) -> Mapping[str, Any]:
    """The object of servers by name, in whichever form a client writes it."""
    if not isinstance(value, Mapping):
        raise Invalid("A configuration is a JSON object, such as mcp.json has it.", field="url")
    for key in _KEYS:
        if isinstance(value.get(key), Mapping):
            return _servers(value[key]) if key == "mcp" else value[key]
    if Entry(value).url or Entry(value).words:
        return {"": value}  # one entry without its name
    return {name: body for name, body in value.items() if isinstance(body, Mapping)}


def _entry(name: str, body: Any) -> Pasted:
    if not isinstance(body, Mapping):
        return Pasted(name[:_NAME_MAX], "", problem=SENTENCES["no_object"])
    entry = Entry(body)
    left_out = tuple(dict.fromkeys(word.name[:_NAME_MAX] for word in entry.variables if word.name))
    if entry.url is None:
        return Pasted(name[:_NAME_MAX], "", left_out, SENTENCES["program" if entry.words else "no_url"])
    if body.get("type") == "sse":
        return Pasted(name[:_NAME_MAX], entry.url.text, left_out, SENTENCES["sse"])
    return Pasted(name[:_NAME_MAX], entry.url.text, left_out)


def _said_by(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return ""
    labels = [label for label in host.split(".")[:-1] if label not in _SAYS_NOTHING]
    is_address = ":" in host or host.rpartition(".")[2].isdigit()
    if labels and not is_address:
        return labels[-1] if len(labels) > 1 else labels[0]
    return next((part for part in parts.path.split("/") if part and part not in _SAYS_NOTHING), "")


def _slug(text: str) -> str:
    joined = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return joined[:SLUG_MAX].strip("-")
