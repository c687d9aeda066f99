"""What a model is given of a definition, and about how much of its attention that takes. Pure module.

Clients put a tool's name, description and argument schema before the model; titles, icons and hints are for people and
programs. How many tokens a text is depends on the model; four characters for one is the usual estimate for English
and for JSON, and says well enough whether a change makes it much more.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from servers.surface import Kind

TEXT_MAX: Final = 200_000  # characters that a page shows of it
_CHARACTERS: Final = 4  # of a token, about
_GIVEN: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.TOOL: ("name", "description", "inputSchema"),
    Kind.PROMPT: ("name", "description", "arguments"),
    Kind.RESOURCE: ("name", "uri", "description", "mimeType"),
    Kind.TEMPLATE: ("name", "uriTemplate", "description", "mimeType"),
    Kind.CARD: ("instructions",),
}


@dataclass(frozen=True, slots=True)
class Prompted:
    """What a model gets of a version, cut to `TEXT_MAX`; its tokens by estimate, and those of what was approved."""

    text: str
    tokens: int
    before: int | None
    cut: bool

    @property
    def more(self) -> int:
        """How many tokens it takes more than what was approved; less is negative."""
        return self.tokens - (self.before or 0)

    @property
    def fewer(self) -> int:
        """The other way round."""
        return -self.more


def prompted(kind: str, before: str | None, after: str) -> Prompted:
    """Given the stored JSON texts of the approved and the held version; `after` empty: it is no longer kept."""
    text = _given(kind, after) if after else ""
    old = None if before is None else tokens(_given(kind, before))
    return Prompted(text[:TEXT_MAX], tokens(text), old, cut=len(text) > TEXT_MAX)


def tokens(text: str) -> int:
    """About how many tokens a text is."""
    return -(-len(text) // _CHARACTERS)


def _given(kind: str, stored: str) -> str:
    body: Mapping[str, Any] = json.loads(stored)
    values = (body.get(name) for name in _GIVEN[Kind(kind)])
    return "\n".join(_written(value) for value in values if value not in (None, "", [], {}))


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
