"""What agents are served of one definition, made of the row that says so. Reads nothing itself.

The text of what is served is proved against its digest before anybody gets it: a row that was rewritten in the
database, past the triggers that forbid it, serves nothing.
"""

import hashlib
import json
import logging
from typing import Any, Final

from access.policy import DefinitionFacts, PinState
from gateway.headers import header_map
from gateway.snapshot import Card, Definition
from servers.surface import Kind
from tools.fingerprint import Unfit, digest
from tools.querysets import ServedRow

logger = logging.getLogger(__name__)
_PROVED_MAX: Final = 100_000
# Hash of the stored text by kind and digest, for texts that were found to be the very text of the digest. Only what
# is new to this process is digested; a text that differs by one character is.
_proved: dict[tuple[str, str], bytes] = {}


def definition_of(row: ServedRow) -> Definition:
    """What is vanished is unknown; what is present and not exactly what may be served is held back."""
    approved = row.present and row.served and bool(row.digest) and is_its_text(row)
    state = PinState.APPROVED if approved else PinState.QUARANTINED if row.present else PinState.UNKNOWN
    facts = DefinitionFacts(
        kind=row.kind,
        name=row.name,
        state=state,
        digest=row.digest if approved else "",
        expires_at=row.expires_at,
        sensitive=row.sensitive,
    )
    if not approved:
        return Definition(facts)
    headers = header_map(json.loads(row.text).get("inputSchema")) if row.kind == Kind.TOOL.value else {}
    return Definition(facts, body=row.text.encode(), headers=headers)


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
