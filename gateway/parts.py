"""What agents are served of one definition, made of the row that says so. Reads nothing itself.

The text of what is served is proved against its digest before anybody gets it: a row that was rewritten in the
database, past the triggers that forbid it, serves nothing.
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final
from weakref import WeakValueDictionary

from access.policy import DefinitionFacts, PinState
from gateway.headers import header_map
from gateway.snapshot import NO_CHECKS, Card, Checks, Definition, Resources
from gateway.uris import FORBIDDEN_SCHEMES, UriTemplate, normal_form, scheme_of
from gateway.validation import Unusable, Validator, compile_schema
from servers.surface import Kind
from tools.fingerprint import Unfit, digest
from tools.querysets import ServedRow

logger = logging.getLogger(__name__)
_PROVED_MAX: Final = 100_000
# Hash of the stored text by kind and digest, for texts that were found to be the very text of the digest. Only what
# is new to this process is digested; a text that differs by one character is.
_proved: dict[tuple[str, str], bytes] = {}
_made: WeakValueDictionary[str, Checks] = WeakValueDictionary()  # by digest
_unusable: dict[str, bool] = {}  # by digest
_template: Final = lru_cache(maxsize=10_000)(UriTemplate.compile)


def definition_of(row: ServedRow) -> Definition:
    """What is vanished is unknown; what is present and not exactly what may be served is held back."""
    approved = _is_approved(row)
    checks = _checks(row) if approved else NO_CHECKS
    template = _template(row.name) if row.kind == Kind.TEMPLATE.value else None
    unusable = bool(checks.unusable) or (row.kind == Kind.TEMPLATE.value and template is None)
    facts = _facts(row, approved=approved, unusable=unusable, template=template)
    return Definition(facts, row.text.encode() if approved else b"", checks, template)


def tool_facts(row: ServedRow) -> DefinitionFacts:
    """The facts of `definition_of` for a tool, without what its calls are checked by."""
    approved = _is_approved(row)
    return _facts(row, approved=approved, unusable=approved and _is_unusable(row), template=None)


def _is_approved(row: ServedRow) -> bool:
    return row.present and row.served and bool(row.digest) and is_its_text(row)


def _facts(row: ServedRow, *, approved: bool, unusable: bool, template: UriTemplate | None) -> DefinitionFacts:
    return DefinitionFacts(
        kind=row.kind,
        name=row.name,
        state=PinState.APPROVED if approved else PinState.QUARANTINED if row.present else PinState.UNKNOWN,
        digest=row.digest if approved else "",
        expires_at=row.expires_at,
        sensitive=row.sensitive,
        unusable=unusable,
        scheme=scheme_of(row.name) if row.kind == Kind.RESOURCE.value else template.scheme if template else None,
    )


def resources_of(definitions: Iterable[Definition]) -> Resources:
    """How URIs find the resources among `definitions`."""
    known = [each for each in definitions if each.facts.state is not PinState.UNKNOWN]
    templates = (each for each in known if each.template is not None)
    return Resources(
        forms=frozenset(normal_form(each.facts.name) for each in known if each.facts.kind == Kind.RESOURCE.value),
        templates=tuple(sorted(templates, key=lambda each: each.facts.state is not PinState.APPROVED)),
    )


def schemes_of(definitions: Iterable[Definition]) -> frozenset[str]:
    """The schemes that approved resources and templates spell out; a person has read them there."""
    approved = (each.facts for each in definitions if each.facts.state is PinState.APPROVED)
    return frozenset(facts.scheme for facts in approved if facts.scheme is not None) - FORBIDDEN_SCHEMES


def _checks(row: ServedRow) -> Checks:
    """Made once per version and kept as long as any snapshot uses it."""
    if row.kind != Kind.TOOL.value:
        return NO_CHECKS
    found = _made.get(row.digest)
    if found is None:
        found = _made[row.digest] = _checks_of_tool(json.loads(row.text))
        if found.unusable:
            logger.warning("tool %r of version %s is not served: %s", row.name, row.digest, found.unusable)
    return found


def _is_unusable(row: ServedRow) -> bool:
    """Remembered by digest: to compile a schema takes longer than all the rest."""
    found = _unusable.get(row.digest)
    if found is None:
        if len(_unusable) >= _PROVED_MAX:
            _unusable.clear()
        found = _unusable[row.digest] = bool(_checks(row).unusable)
    return found


def _checks_of_tool(body: Mapping[str, Any]) -> Checks:
    schema, promised = body.get("inputSchema"), body.get("outputSchema")
    try:
        # A tool without an input schema is none by the specification: nothing says which arguments were approved.
        takes = _validator(schema, "inputSchema", "arguments")
        gives = None if promised is None else _validator(promised, "outputSchema", "structuredContent")
    except Unusable as error:
        return Checks(unusable=error.sentence)
    return Checks(takes, gives, header_map(schema))


def _validator(schema: Any, field: str, subject: str) -> Validator:
    try:
        return compile_schema(schema, subject=subject)
    except Unusable as error:
        raise Unusable(f"{field}: {error.sentence}") from error


def card_of(row: ServedRow) -> Card | None:
    """The approved presentation; it is served on while a change of it waits."""
    if not row.text or not is_its_text(row):
        return None
    body: dict[str, Any] = json.loads(row.text)
    identity = body.get("serverInfo")
    if not isinstance(identity, dict) or not isinstance(identity.get("name"), str):
        return None
    instructions = body.get("instructions")
    capabilities = body.get("capabilities")
    return Card(
        identity,
        instructions if isinstance(instructions, str) else "",
        row.expires_at,
        capabilities if isinstance(capabilities, dict) else {},
    )


def is_its_text(row: ServedRow) -> bool:
    """Whether the stored text is what the digest names (docs/pinning.md)."""
    key, seal = (row.kind, row.digest), hashlib.sha256(row.text.encode()).digest()
    if _proved.get(key) == seal:
        return True
    try:
        proved = digest(Kind(row.kind), json.loads(row.text)) == row.digest
    except (ValueError, AttributeError, TypeError, Unfit):
        proved = False
    if not proved:
        logger.error("the stored text of %s %r is not what %s names; it is not served", row.kind, row.name, row.digest)
        return False
    if len(_proved) >= _PROVED_MAX:
        _proved.clear()
    _proved[key] = seal
    return True
