"""Scanning new versions beside what surrounds them. What fails is a finding of its own and never an approval."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from tools import scanner
from tools.models import DefinitionVersion, Finding
from tools.scanner import Found, Item, Report
from tools.services.knowing import Shared
from tools.services.surroundings import Key, Surroundings, surroundings_of

logger = logging.getLogger(__name__)
_BATCH: Final = 500
_NOTHING: Final = Report(0.0, "none", (), 0)
Bodies = Mapping[Key, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Scanned:
    """What one version's scan comes to; among the findings, whether it was a whole one."""

    score: float
    findings: tuple[Found, ...]


def scan_shown(shown: Bodies, shared: Shared) -> dict[Key, Scanned]:
    """Scan what one server shows, by definition and digest. What is known of its like is asked for through `shared`."""
    found: dict[Key, Scanned] = {}
    keys = list(shown)
    for start in range(0, len(keys), _BATCH):
        batch = {key: shown[key] for key in keys[start : start + _BATCH]}
        around = _around(batch, shared)
        for key, body in batch.items():
            found[key] = _scanned(key, body, around.get(key))
    return found


def keep_findings(versions: Sequence[DefinitionVersion], scanned: Mapping[Key, Scanned]) -> None:
    """Keep what was found in these versions."""
    now = timezone.now()
    Finding.objects.bulk_create(
        [
            finding_of(version, found, now)
            for version in versions
            for found in scanned[version.definition_id, version.digest].findings
        ],
        batch_size=_BATCH,
    )


def _around(batch: Bodies, shared: Shared) -> dict[Key, Surroundings]:
    """Nothing where they could not be read: in a savepoint, so that the observation goes on."""
    try:
        with transaction.atomic():
            return surroundings_of(batch, shared)
    except Exception:
        logger.exception("what surrounds %d new versions could not be read", len(batch))
        return {}


def _scanned(key: Key, body: Mapping[str, Any], around: Surroundings | None) -> Scanned:
    known = around or Surroundings()
    item = Item(body, known.surface, known.server, known.neighbours, known.previous)
    report, whole = _report(key, item), around is not None
    if report is None:
        whole = False
        report = _report(key, Item(body, known.surface, known.server)) or _NOTHING
    whole = whole and not report.unread
    return Scanned(report.score, tuple(_within(each, body) for each in _findings(report, whole=whole)))


def _within(found: Found, body: Mapping[str, Any]) -> Found:
    """The finding with a place that lies in the string that it is about."""
    value = _at(body, found.field)
    last = len(value) if isinstance(value, str) else max(found.start, found.end)
    start = min(found.start, last)
    return replace(found, start=start, end=max(start, min(found.end, last)))


def _at(value: Any, pointer: str) -> Any:
    """What stands at a JSON pointer, or None."""
    for part in pointer.split("/")[1:]:
        step = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _report(key: Key, item: Item) -> Report | None:
    try:
        return scanner.scan_item(item)
    except Exception:
        logger.exception("version %s could not be scanned", key[1])
        return None


def _findings(report: Report, *, whole: bool) -> Iterator[Found]:
    if not whole:
        yield scanner.NOT_SCANNED
    yield from report.findings


def finding_of(version: DefinitionVersion, found: Found, now: datetime) -> Finding:
    """The row, not saved yet."""
    return Finding(
        version=version,
        rule=found.rule,
        severity=found.severity.value,
        confidence=found.confidence.value,
        field=found.field,
        evidence=found.evidence,
        start=found.start,
        end=found.end,
        found_at=now,
    )
