"""What a tool says that it does to the world, by its annotations. Pure module.

The server wrote them, so they are no proof: an approval is. What a tool does not say is taken for the worse, as the
specification has it (MCP 2025-11-25 and 2026-07-28, ToolAnnotations: not read-only, destructive).
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from servers.surface import Kind
from tools.fingerprint import ANNOTATION_DEFAULTS


class Effect(StrEnum):
    """From the mildest to the worst."""

    READS = "reads"
    WRITES = "writes"
    DESTROYS = "destroys"


def effect_of(kind: str, body: Mapping[str, Any]) -> Effect | None:
    """What a definition says; None for anything but a tool."""
    if kind != Kind.TOOL.value:
        return None
    given = body.get("annotations")
    said = {**ANNOTATION_DEFAULTS, **(given if isinstance(given, Mapping) else {})}
    if said["readOnlyHint"] is True:
        return Effect.READS
    return Effect.WRITES if said["destructiveHint"] is False else Effect.DESTROYS
