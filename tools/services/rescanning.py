"""Scanning again what is current and was read by other rules: live pins and what waits for a decision.

Findings are added and never taken away, and the score only rises: what was found once stays for people to judge. No pin
and no review changes by it. Something new that a person should look at in what is approved is recorded, and alerts.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from audit.events import Event
from core.actor import Actor, system_actor
from servers.models import Server
from tools.models import DefinitionVersion, Finding, Pin, Review, Triage
from tools.risk import LEVELS, is_alarming
from tools.services.checking import check_server
from tools.services.knowing import Shared
from tools.services.recording import note_definition
from tools.services.rulings import rules_digest
from tools.services.scanning import Scanned, finding_of, scan_shown
from tools.services.surroundings import Key

SCANNER: Final[Actor] = system_actor("scanner")
_SHOWN: Final = 20  # rules in one record


def rescan_outdated(*, limit: int) -> int:
    """Scan up to `limit` versions of one server again; answers how many. None are left when it answers 0.

    Any number of workers may do so at once, and stop at any time. The server's row is locked meanwhile, as for a look.
    """
    with transaction.atomic():
        first = _outdated().order_by("pk").values_list("definition__server_id", flat=True).first()
        if first is None:
            return 0
        server = Server.objects.select_for_update(of=("self",)).select_related("owner_team").get(pk=first)
        due = _outdated().filter(definition__server=server).select_related("definition").order_by("pk")
        versions = list(due[:limit])
        _rescan(server, versions)
        if len(versions) < limit:
            check_server(server)  # the rules for servers are others, too
    return len(versions) or 1  # somebody else was faster; there may be more


def _outdated() -> Any:
    """What was read by other rules than these and is approved or waits; what has no text any more cannot be read."""
    current = Q(pk__in=Pin.objects.live().order_by().values("version"))
    current |= Q(pk__in=Review.objects.waiting().order_by().values("version"))
    rows = DefinitionVersion.objects.filter(current, let_go_at__isnull=True)
    return rows.exclude(scanned_by=rules_digest())


def _rescan(server: Server, versions: Sequence[DefinitionVersion]) -> None:
    bodies: Mapping[Key, Any] = {(each.definition_id, each.digest): json.loads(each.text) for each in versions}
    scanned = scan_shown(bodies, Shared())
    now = timezone.now()
    added = _added(versions, scanned, now)
    Finding.objects.bulk_create([finding for findings in added.values() for finding in findings])
    for version in versions:
        version.risk_score = max(version.risk_score or 0.0, scanned[version.definition_id, version.digest].score)
        version.scanned_by = rules_digest()
    DefinitionVersion.objects.bulk_update(versions, ["risk_score", "scanned_by"])
    found = [version for version in versions if added[version.pk]]
    Triage.objects.wake(Review.objects.waiting().filter(version__in=found) if found else ())
    pinned = set(Pin.objects.live().filter(version__in=versions).order_by().values_list("version_id", flat=True))
    for version in versions:
        alarming = [finding for finding in added[version.pk] if is_alarming(finding)]
        if alarming and version.pk in pinned:
            _note(server, version, alarming)


def _added(
    versions: Sequence[DefinitionVersion], scanned: Mapping[Key, Scanned], now: datetime
) -> dict[int, list[Finding]]:
    """What no scan before found there, by version."""
    rows = Finding.objects.filter(version__in=versions).order_by().values_list("version_id", "rule", "field")
    known = set(rows)
    return {
        version.pk: [
            finding_of(version, found, now)
            for found in scanned[version.definition_id, version.digest].findings
            if (version.pk, found.rule, found.field) not in known
        ]
        for version in versions
    }


def _note(server: Server, version: DefinitionVersion, findings: Sequence[Finding]) -> None:
    worst = max((finding.severity for finding in findings), key=LEVELS.index)
    rules = sorted({finding.rule for finding in findings})[:_SHOWN]
    note_definition(
        Event.TOOL_FOUND_SUSPECT,
        server=server,
        actor=SCANNER,
        kind=version.definition.kind,
        name=version.definition.name,
        digest=version.digest,
        after={"rules": rules, "severity": worst},
    )
