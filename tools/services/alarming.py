"""At which versions a person has to look because of what the scanner found, beyond what people accepted already."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from tools.models import DefinitionVersion, Finding
from tools.risk import is_alarming, is_known

Compared = Mapping[int, DefinitionVersion | None]


def alarming(versions: Compared) -> set[int]:
    """Those of `versions` in which something was found that must not stand among the harmless, suppressed or not.

    Each comes with the approved version that it is compared with, if there is one: what people approved with the very
    same findings alarms nobody anew. An incomplete scan always does.
    """
    found = DefinitionVersion.objects.alarming().filter(pk__in=versions)
    scores = dict(found.order_by().values_list("pk", "risk_score"))
    bases = {pk: base for pk in scores if (base := versions[pk]) is not None and base.pk != pk}
    return scores.keys() - _known(bases, scores)


def _known(bases: Mapping[int, DefinitionVersion], scores: Mapping[int, float | None]) -> set[int]:
    """Versions with nothing to look at that their bases did not have when people approved them."""
    if not bases:
        return set()
    found = _by_version(Finding.objects.filter(version__in=bases))
    accepted = _by_version(Finding.objects.accepted().filter(version__in=[base.pk for base in bases.values()]))
    return {
        pk
        for pk, base in bases.items()
        if (scores[pk] or 0.0) <= (base.risk_score or 0.0)
        and all(is_known(each, accepted[base.pk]) for each in found[pk] if is_alarming(each))
    }


def _by_version(findings: Iterable[Finding]) -> Mapping[int, list[Finding]]:
    grouped: dict[int, list[Finding]] = defaultdict(list)
    for each in findings:
        grouped[each.version_id].append(each)
    return grouped
