"""Version rows of what was shown: one per distinct digest, scanned once, its text back when it is shown again."""

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Count, Exists, OuterRef

from tools import scanner
from tools.look import Seen
from tools.models import DefinitionVersion, Finding
from tools.rules import VERSIONS_A_DAY
from tools.services.resembling import sketch_versions

logger = logging.getLogger(__name__)
VersionKey = tuple[int, str]  # a definition's primary key and a digest
_BATCH: Final = 500
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Versions:
    """Rows by definition and digest, and what they say by the rows' primary keys, parsed already."""

    rows: dict[VersionKey, DefinitionVersion]
    bodies: dict[int, Mapping[str, Any]]


def versions_of(shown: Mapping[VersionKey, Seen], *, refused: Collection[VersionKey] = ()) -> Versions:
    """The rows of what was `shown`, made where there are none yet, unless they are `refused` one.

    However often a server goes back and forth between two forms, there is one row of each. The caller holds the lock
    on the server's row.
    """
    known = DefinitionVersion.objects.filter(
        definition_id__in=[pk for pk, _ in shown], digest__in=[digest for _, digest in shown]
    ).defer("text")
    found = {(each.definition_id, each.digest): each for each in known if (each.definition_id, each.digest) in shown}
    _bring_back([version for version in found.values() if version.let_go_at is not None], shown)
    new = [
        DefinitionVersion(definition_id=pk, digest=digest, text=seen.text)
        for (pk, digest), seen in shown.items()
        if (pk, digest) not in found and (pk, digest) not in refused
    ]
    for version in DefinitionVersion.objects.bulk_create(new, batch_size=_BATCH):
        found[version.definition_id, version.digest] = version
    bodies = {version.pk: shown[key].item.body for key, version in found.items()}
    _scan(new, bodies)
    sketch_versions(new, bodies)
    return Versions(found, bodies)


def full_today(definitions: Collection[int], now: datetime) -> set[int]:
    """Definitions (primary keys) that have had so many new forms in a day that no more are kept.

    Whoever was shown them. The form that a definition began with is no new one.
    """
    before = DefinitionVersion.objects.filter(definition=OuterRef("definition"), pk__lt=OuterRef("pk"))
    new = DefinitionVersion.objects.filter(Exists(before), definition_id__in=definitions, first_seen__gt=now - _DAY)
    counted = new.values_list("definition_id").annotate(n=Count("pk")).order_by()
    return {pk for pk, n in counted if n >= VERSIONS_A_DAY}


def _bring_back(versions: Iterable[DefinitionVersion], shown: Mapping[VersionKey, Seen]) -> None:
    """Texts that were let go and are shown again."""
    for version in versions:
        version.text, version.let_go_at = shown[version.definition_id, version.digest].text, None
        version.save(update_fields=["text", "let_go_at"])


def _scan(versions: Iterable[DefinitionVersion], bodies: Mapping[int, Mapping[str, Any]]) -> None:
    findings = [
        Finding(
            version=version,
            rule=found.rule,
            severity=found.severity.value,
            confidence=found.confidence.value,
            field=found.field,
            evidence=found.evidence,
        )
        for version in versions
        for found in _found(version, bodies[version.pk])
    ]
    Finding.objects.bulk_create(findings, batch_size=_BATCH)


def _found(version: DefinitionVersion, body: Mapping[str, Any]) -> Iterable[scanner.Found]:
    try:
        return scanner.scan(body)
    except Exception:
        # What could not be scanned says so, and is held all the same; the observation is not lost for it.
        logger.exception("version %s could not be scanned", version.digest)
        return (scanner.NOT_SCANNED,)
