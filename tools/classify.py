"""What changed between the approved and the new form of a definition, which way, and how risky. Pure module.

The rows of `RISKS` and the tables per kind are the rules; anything that no row names is `OTHER`, and unknown is
risky. Differences are taken from the projected bodies, so they are exactly what moved the digest.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from core.canonical import canonical_bytes
from servers.surface import Kind
from tools import schemas
from tools.fingerprint import project

FIELDS_MAX: Final = 200
DEPTH_MAX: Final = 40
POINTER_MAX: Final = 2_000  # characters of a path; a key can be as long as a definition


class Risk(StrEnum):
    """How much harm a change of this class could do if it were approved unread."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class ChangeClass(StrEnum):
    """What a change is about. Values stand in reviews and in the API; never renamed."""

    ANNOTATIONS = "annotations"
    ANNOTATIONS_LOOSENED = "annotations_loosened"
    ANNOTATIONS_TIGHTENED = "annotations_tightened"
    ARGUMENTS = "arguments"
    AUTHORIZATION = "authorization"
    CAPABILITIES_GAINED = "capabilities_gained"
    CAPABILITIES_LOST = "capabilities_lost"
    ENDPOINT = "endpoint"
    EXECUTION = "execution"
    EXPIRED = "expired"
    ICONS = "icons"
    IDENTITY = "identity"
    IDENTITY_VERSION = "identity_version"
    INPUT_SCHEMA_EQUIVALENT = "input_schema_equivalent"
    INPUT_SCHEMA_NARROWED = "input_schema_narrowed"
    INPUT_SCHEMA_UNKNOWN = "input_schema_unknown"
    INPUT_SCHEMA_WIDENED = "input_schema_widened"
    INSTRUCTIONS = "instructions"
    META = "meta"
    MIME_TYPE = "mime_type"
    NEW = "new"
    OTHER = "other"
    OUTPUT_SCHEMA_EQUIVALENT = "output_schema_equivalent"
    OUTPUT_SCHEMA_NARROWED = "output_schema_narrowed"
    OUTPUT_SCHEMA_UNKNOWN = "output_schema_unknown"
    OUTPUT_SCHEMA_WIDENED = "output_schema_widened"
    SCHEMA_DEFAULT = "schema_default"
    SHOWN_DIFFERENTLY = "shown_differently"
    TITLE = "title"
    URI = "uri"
    WITHDRAWN = "withdrawn"
    WORDING = "wording"


Path = tuple[str, ...]


class Missing(StrEnum):
    """Stands for a value that is not there, which JSON's null is not."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING

# Loosened: the tool now asks its client for less caution. Tightened: for more; the tool may do more than it said.
_LOOSER: Final[Mapping[str, bool]] = {
    "readOnlyHint": True,
    "destructiveHint": False,
    "idempotentHint": True,
    "openWorldHint": False,
}
RISKS: Final[Mapping[ChangeClass, Risk]] = {
    ChangeClass.ANNOTATIONS: Risk.MEDIUM,
    ChangeClass.ANNOTATIONS_LOOSENED: Risk.HIGH,
    ChangeClass.ANNOTATIONS_TIGHTENED: Risk.MEDIUM,
    ChangeClass.ARGUMENTS: Risk.MEDIUM,
    ChangeClass.AUTHORIZATION: Risk.HIGH,
    ChangeClass.CAPABILITIES_GAINED: Risk.HIGH,
    ChangeClass.CAPABILITIES_LOST: Risk.LOW,
    ChangeClass.ENDPOINT: Risk.HIGH,
    ChangeClass.EXECUTION: Risk.MEDIUM,
    ChangeClass.EXPIRED: Risk.MEDIUM,
    ChangeClass.ICONS: Risk.MEDIUM,
    ChangeClass.IDENTITY: Risk.HIGH,
    ChangeClass.IDENTITY_VERSION: Risk.LOW,
    ChangeClass.INPUT_SCHEMA_EQUIVALENT: Risk.LOW,
    ChangeClass.INPUT_SCHEMA_NARROWED: Risk.LOW,
    ChangeClass.INPUT_SCHEMA_UNKNOWN: Risk.HIGH,
    ChangeClass.INPUT_SCHEMA_WIDENED: Risk.HIGH,
    ChangeClass.INSTRUCTIONS: Risk.HIGH,
    ChangeClass.META: Risk.MEDIUM,
    ChangeClass.MIME_TYPE: Risk.MEDIUM,
    ChangeClass.NEW: Risk.MEDIUM,
    ChangeClass.OTHER: Risk.HIGH,
    ChangeClass.OUTPUT_SCHEMA_EQUIVALENT: Risk.LOW,
    ChangeClass.OUTPUT_SCHEMA_NARROWED: Risk.LOW,
    ChangeClass.OUTPUT_SCHEMA_UNKNOWN: Risk.HIGH,
    ChangeClass.OUTPUT_SCHEMA_WIDENED: Risk.MEDIUM,
    ChangeClass.SCHEMA_DEFAULT: Risk.MEDIUM,
    ChangeClass.SHOWN_DIFFERENTLY: Risk.HIGH,
    ChangeClass.TITLE: Risk.MEDIUM,
    ChangeClass.URI: Risk.HIGH,
    ChangeClass.WITHDRAWN: Risk.HIGH,
    # Description-only poisoning is the commonest attack: wording is never harmless by itself.
    ChangeClass.WORDING: Risk.MEDIUM,
}
_WITHHOLDING: Final = frozenset(
    {ChangeClass.IDENTITY, ChangeClass.ENDPOINT, ChangeClass.AUTHORIZATION, ChangeClass.OTHER}
)

# Top-level field of a body, by kind, where one field is one class. `inputSchema`, `annotations` of tools and
# `capabilities` have functions of their own below.
_COMMON: Final = {
    "description": ChangeClass.WORDING,
    "icons": ChangeClass.ICONS,
    "title": ChangeClass.TITLE,
    "_meta": ChangeClass.META,
}
_SHOWN: Final = {
    **_COMMON,
    "annotations": ChangeClass.ANNOTATIONS,
    "mimeType": ChangeClass.MIME_TYPE,
    "name": ChangeClass.TITLE,
}
_FIELDS: Final[Mapping[Kind, Mapping[str, ChangeClass]]] = {
    Kind.TOOL: {**_COMMON, "execution": ChangeClass.EXECUTION},
    Kind.PROMPT: {**_COMMON, "arguments": ChangeClass.ARGUMENTS},
    Kind.RESOURCE: {**_SHOWN, "uri": ChangeClass.URI},
    Kind.TEMPLATE: {**_SHOWN, "uriTemplate": ChangeClass.URI},
    Kind.CARD: {
        "instructions": ChangeClass.INSTRUCTIONS,
        "endpoint": ChangeClass.ENDPOINT,
        "authorization": ChangeClass.AUTHORIZATION,
        "_meta": ChangeClass.META,
    },
}
_SERVER_INFO: Final[Mapping[str, ChangeClass]] = {
    "description": ChangeClass.WORDING,
    "icons": ChangeClass.ICONS,
    "version": ChangeClass.IDENTITY_VERSION,
}
_EXACT: Final = frozenset({str, int, bool, type(None)})  # equal exactly if their canonical forms are
_SCHEMAS: Final = {"inputSchema": "input", "outputSchema": "output"}
_SCHEMA_CLASSES: Final[Mapping[tuple[str, schemas.Relation], ChangeClass]] = {
    (name, relation): ChangeClass(f"{prefix}_schema_{relation}")
    for name, prefix in _SCHEMAS.items()
    for relation in schemas.Relation
}
_BELOW: Final[Mapping[str, str]] = (
    dict.fromkeys(schemas.ONE, "one") | dict.fromkeys(schemas.MANY, "many") | dict.fromkeys(schemas.NAMED, "named")
)
_KNOWN: Final = schemas.VALUES | schemas.ONE | schemas.MANY | schemas.NAMED | {""}
# They say how a text is to be read, and no validator looks at them: equal validity proves nothing about them.
_CONTENT: Final = frozenset({"contentEncoding", "contentMediaType", "contentSchema"})


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One difference. `path` is a JSON pointer (RFC 6901) into the projected body; `MISSING` where nothing is.

    A pointer of more than `POINTER_MAX` characters is cut and ends in an ellipsis.
    """

    path: str
    before: Any
    after: Any
    cls: ChangeClass


@dataclass(frozen=True, slots=True)
class Change:
    """Everything that differs, at most `FIELDS_MAX` fields of it (`truncated` says whether there were more)."""

    classes: tuple[ChangeClass, ...]
    fields: tuple[FieldChange, ...]
    risk: Risk
    truncated: bool = False


class Budget:
    """Time for comparing schemas, shared by many changes. Once it is spent, what is left is judged unread: unknown."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds

    @property
    def is_spent(self) -> bool:
        """Whether nothing is left."""
        return time.monotonic() >= self._ends


def classify(
    kind: Kind, before: Mapping[str, Any] | None, after: Mapping[str, Any], *, budget: Budget | None = None
) -> Change:
    """The change from the approved body `before` (None: nothing was ever approved) to the observed one."""
    if before is None:
        return Change((ChangeClass.NEW,), (), RISKS[ChangeClass.NEW])
    old, new = project(kind, before), project(kind, after)
    found = tuple(_differences(old, new, (), FIELDS_MAX + 1))
    directions = _schema_directions(kind, old, new, budget)
    fields = tuple(
        FieldChange(_shown(path), a, b, _class_of(kind, path, a, b, directions)) for path, a, b in found[:FIELDS_MAX]
    )
    classes = {field.cls for field in fields} | set(directions.values())
    truncated = len(found) > FIELDS_MAX
    if truncated or not classes:
        classes.add(ChangeClass.OTHER)
    return Change(tuple(sorted(classes)), fields, risk_of(classes), truncated)


def risk_of(classes: Iterable[ChangeClass]) -> Risk:
    """The highest risk among `classes`."""
    return max((RISKS[cls] for cls in classes), key=list(Risk).index, default=Risk.HIGH)


def withholds_server(change: Iterable[ChangeClass | str]) -> bool:
    """Whether a change of the card with these classes withholds the whole server until it is decided.

    A new version number of the same server does not; another name, endpoint or authorization does.
    """
    return any(cls in _WITHHOLDING for cls in change)


def pointer(path: Sequence[str]) -> str:
    """RFC 6901."""
    return "".join(f"/{step.replace('~', '~0').replace('/', '~1')}" for step in path)


def _shown(path: Path) -> str:
    """The pointer, cut; the steps are cut first, so that long keys are not copied for every field below them."""
    whole = pointer([step[:POINTER_MAX] for step in path])
    return whole if len(whole) < POINTER_MAX else f"{whole[: POINTER_MAX - 1]}…"


def _differences(before: Any, after: Any, path: Path, limit: int) -> Iterator[tuple[Path, Any, Any]]:
    """Leaves that differ, at most `limit`; objects are compared key by key, lists of equal length item by item.

    Only leaves are asked whether they are the same, so that every value is read once, however deep it lies.
    """
    pairs = _pairs(before, after) if len(path) < DEPTH_MAX else None
    if pairs is None:
        if not _same(before, after):
            yield path, before, after
        return
    for step, old, new in pairs:
        for found in _differences(old, new, (*path, step), limit):
            yield found
            limit -= 1
            if limit <= 0:
                return


def _pairs(before: Any, after: Any) -> list[tuple[str, Any, Any]] | None:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        keys = list(dict.fromkeys([*before, *after]))
        return [(key, before.get(key, MISSING), after.get(key, MISSING)) for key in keys]
    if not (isinstance(before, list) and isinstance(after, list) and len(before) == len(after)):
        return None
    if not all(isinstance(item, Mapping) for item in (*before, *after)):
        return None
    return [(str(index), old, new) for index, (old, new) in enumerate(zip(before, after, strict=True))]


def _same(before: Any, after: Any) -> bool:
    """Equality as the digest sees it: `1` is not `true`, and `1.0` is `1`."""
    if before is MISSING or after is MISSING:
        return before is after
    if type(before) is type(after) and type(before) in _EXACT:
        return bool(before == after)
    return canonical_bytes(before) == canonical_bytes(after)


def _class_of(kind: Kind, path: Path, before: Any, after: Any, directions: Mapping[str, ChangeClass]) -> ChangeClass:
    top = path[0] if path else ""
    if kind is Kind.TOOL and top in _SCHEMAS:
        return _schema_class(path, directions[top])
    if kind is Kind.TOOL and top == "annotations":
        return _annotation_class(path, before, after)
    if kind is Kind.CARD and top == "serverInfo":
        return _SERVER_INFO.get(path[1], ChangeClass.IDENTITY) if len(path) > 1 else ChangeClass.IDENTITY
    if kind is Kind.CARD and top == "capabilities":
        return _capability_class(before, after)
    return _FIELDS[kind].get(top, ChangeClass.OTHER)


def _annotation_class(path: Path, before: Any, after: Any) -> ChangeClass:
    if path == ("annotations", "title"):
        return ChangeClass.TITLE
    hint = path[1] if len(path) == 2 else ""
    if hint not in _LOOSER or not isinstance(before, bool) or not isinstance(after, bool):
        return ChangeClass.OTHER
    return ChangeClass.ANNOTATIONS_LOOSENED if after is _LOOSER[hint] else ChangeClass.ANNOTATIONS_TIGHTENED


def _capability_class(before: Any, after: Any) -> ChangeClass:
    lost = (after in (MISSING, None) or after is False) and before is not MISSING
    return ChangeClass.CAPABILITIES_LOST if lost else ChangeClass.CAPABILITIES_GAINED


def _schema_class(path: Path, direction: ChangeClass) -> ChangeClass:
    """The class of one difference inside a schema whose values as a whole moved in `direction`."""
    keyword = _keyword(path[1:])
    if keyword in schemas.ANNOTATION_KEYWORDS:
        return ChangeClass.WORDING
    if keyword == "default":
        return ChangeClass.SCHEMA_DEFAULT
    # Anything else unknown is, for example, `x-mcp-header`, which moves an argument into a header.
    return direction if keyword in _KNOWN and _CONTENT.isdisjoint(path) else ChangeClass.OTHER


def _keyword(steps: Sequence[str]) -> str:
    """The schema keyword that `steps` end in or below; empty at a schema itself."""
    keyword, state = "", "schema"
    for step in steps:
        if state == "schema":
            keyword = step
            state = _BELOW.get(step, "value")
            state = "many_or_schema" if step == "items" else state
        elif state in ("named", "many") or (state == "many_or_schema" and step.isdigit()):
            keyword, state = "", "schema"
        elif state in ("one", "many_or_schema"):
            keyword, state = step, _BELOW.get(step, "value")
    return keyword


def _schema_directions(
    kind: Kind, before: Mapping[str, Any], after: Mapping[str, Any], budget: Budget | None
) -> dict[str, ChangeClass]:
    """The class of each schema of a tool that differs."""
    if kind is not Kind.TOOL:
        return {}
    differing = (name for name in _SCHEMAS if not _same(before.get(name, MISSING), after.get(name, MISSING)))
    return {name: _SCHEMA_CLASSES[name, _relation(before.get(name), after.get(name), budget)] for name in differing}


def _relation(before: Any, after: Any, budget: Budget | None) -> schemas.Relation:
    spent = budget is not None and budget.is_spent
    return schemas.Relation.UNKNOWN if spent else schemas.relation(before, after)
