"""Version rows of what was shown: one per distinct digest, scanned once, its text back when it is shown again."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Count, Exists, OuterRef

from tools.effects import effect_of
from tools.look import Seen
from tools.models import DefinitionVersion
from tools.rules import VERSIONS_A_DAY
from tools.services.knowing import Shared
from tools.services.resembling import sketch_versions
from tools.services.rulings import rules_digest
from tools.services.scanning import keep_findings, scan_shown

VersionKey = tuple[int, str]  # a definition's primary key and a digest
_BATCH: Final = 500
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Versions:
    """Rows by definition and digest, what they say by the rows' primary keys, parsed already, and what they share."""

    rows: dict[VersionKey, DefinitionVersion]
    bodies: dict[int, Mapping[str, Any]]
    shared: Shared = field(default_factory=Shared)


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
    missing = [key for key in shown if key not in found and key not in refused]
    shared = Shared()
    scanned = scan_shown({key: shown[key].item.body for key in missing}, shared)
    rules = rules_digest()
    new = [
        DefinitionVersion(
            definition_id=pk, digest=digest, text=shown[pk, digest].text, risk_score=each.score, scanned_by=rules,
            effect=effect_of(shown[pk, digest].item.kind.value, shown[pk, digest].item.body) or "",
        )
        for (pk, digest), each in scanned.items()
    ]  # fmt: skip
    for version in DefinitionVersion.objects.bulk_create(new, batch_size=_BATCH):
        found[version.definition_id, version.digest] = version
    bodies = {version.pk: shown[key].item.body for key, version in found.items()}
    keep_findings(new, scanned)
    shared.add(new, sketch_versions(new, bodies))
    return Versions(found, bodies, shared)


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
