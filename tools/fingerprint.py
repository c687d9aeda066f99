"""The digest that an approval is about. Pure module; specified in `docs/pinning.md`, version by version.

The projection takes everything that the server sent for a definition except a short named list, so a field
that the specification gains tomorrow is pinned from the first day. Changing anything here means a new value
of `PROJECTION`, because every stored pin names a digest made by these rules.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from core.canonical import canonical_bytes
from servers.surface import Kind

PROJECTION: Final = "holdfast-projection/1"
SURFACE: Final = "holdfast-surface/1"
DIGEST_PATTERN: Final = r"^sha256:[0-9a-f]{64}$"

# Defaults that the MCP specification states (2025-11-25 and 2026-07-28, ToolAnnotations; 2025-11-25,
# ToolExecution). They are filled in, so that spelling one out, or leaving it out, is no change.
ANNOTATION_DEFAULTS: Final[Mapping[str, bool]] = {
    "readOnlyHint": False,
    "destructiveHint": True,
    "idempotentHint": False,
    "openWorldHint": True,
}
EXECUTION_DEFAULTS: Final[Mapping[str, str]] = {"taskSupport": "forbidden"}


class Unfit(ValueError):
    """The definition has no digest: lone surrogates, numbers that JSON lacks, nesting beyond measure."""


def digest(kind: Kind, body: Mapping[str, Any]) -> str:
    """`sha256:<hex>` of one definition. Raises `Unfit`."""
    return _sha256({"projection": PROJECTION, "kind": kind.value, "body": project(kind, body)})


def surface_digest(items: Iterable[tuple[str, str, str]]) -> str:
    """`sha256:<hex>` of a whole surface, given `(kind, name, digest)` of each item in any order. Raises `Unfit`."""
    return _sha256({"projection": SURFACE, "items": [list(item) for item in sorted(items)]})


def project(kind: Kind, body: Mapping[str, Any]) -> dict[str, Any]:
    """The part of `body` that the digest is over. The given mapping is left as it is."""
    projected = dict(body)
    if kind is Kind.TOOL:
        _fill(projected, "annotations", ANNOTATION_DEFAULTS)
        _fill(projected, "execution", EXECUTION_DEFAULTS)
    if kind is Kind.RESOURCE:
        _leave_out_what_changes_by_nature(projected)
    return projected


def _fill(body: dict[str, Any], field: str, defaults: Mapping[str, Any]) -> None:
    """Missing and `{}` mean the same here; anything that is no object stays as sent, and so differs."""
    given = body.get(field, {})
    if isinstance(given, Mapping):
        body[field] = {**defaults, **given}


def _leave_out_what_changes_by_nature(body: dict[str, Any]) -> None:
    """Annotations that hold nothing else count as missing, or a first `lastModified` would be a change."""
    body.pop("size", None)
    body.pop("lastModified", None)
    annotations = body.get("annotations")
    if isinstance(annotations, Mapping):
        rest = {key: value for key, value in annotations.items() if key != "lastModified"}
        body.pop("annotations")
        if rest:
            body["annotations"] = rest


def _sha256(value: Mapping[str, Any]) -> str:
    try:
        preimage = canonical_bytes(value)
    except (ValueError, RecursionError) as error:
        raise Unfit("the definition has no canonical form") from error
    return f"sha256:{hashlib.sha256(preimage).hexdigest()}"
