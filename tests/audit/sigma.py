"""As much of Sigma 2.1 as our rules use: one selection, `|hour`, and correlations that count or follow in order.

Anything else in a rule raises, so that a rule cannot pass by what this does not know.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_RULE = {"title", "id", "name", "status", "description", "author", "date", "tags", "logsource", "detection", "level",
         "falsepositives"}  # fmt: skip
_CORRELATED = {"title", "id", "status", "description", "author", "date", "correlation", "level", "falsepositives"}


def fires(path: Path, records: Iterable[dict[str, Any]]) -> bool:
    """Whether what a file asks for, its correlation or its one rule, is in these bodies of records."""
    documents = list(yaml.safe_load_all(path.read_text()))
    rules = {each.get("name", each["id"]): each for each in documents if "detection" in each}
    found = [(name, record) for record in records for name, rule in rules.items() if matches(rule, record)]
    correlations = [each for each in documents if "correlation" in each]
    for each in documents:
        assert set(each) <= (_CORRELATED if "correlation" in each else _RULE), path
    if not correlations:
        return bool(found)
    (correlation,) = correlations
    return correlated(correlation["correlation"], found)


def matches(rule: dict[str, Any], record: dict[str, Any]) -> bool:
    """Whether every field of the selection has one of its values; Sigma compares text without case."""
    assert rule["logsource"] == {"product": "holdfast", "service": "audit"}
    detection = dict(rule["detection"])
    assert detection.pop("condition") == "selection"
    assert set(detection) == {"selection"}
    return all(_fits(field, wanted, record) for field, wanted in detection["selection"].items())


def correlated(rule: dict[str, Any], found: list[tuple[str, dict[str, Any]]]) -> bool:
    """Whether enough, or each in its order, falls into one span for one value of what it groups by."""
    span = timedelta(**{_UNITS[rule["timespan"][-1]]: int(rule["timespan"][:-1])})
    groups: dict[tuple[Any, ...], list[tuple[datetime, str]]] = {}
    for name, record in found:
        if name in rule["rules"]:
            key = tuple(_value(field, record) for field in rule["group-by"])
            groups.setdefault(key, []).append((_time(record), name))
    test = {"event_count": _counted, "temporal_ordered": _in_order}[rule["type"]]
    return any(test(rule, sorted(events), span) for events in groups.values())


def _counted(rule: dict[str, Any], events: list[tuple[datetime, str]], span: timedelta) -> bool:
    (least,) = rule["condition"].values()
    assert set(rule["condition"]) == {"gte"}
    return any(sum(begin <= time < begin + span for time, _ in events) >= least for begin, _ in events)


def _in_order(rule: dict[str, Any], events: list[tuple[datetime, str]], span: timedelta) -> bool:
    first, second = rule["rules"]
    return any(
        earlier == first and later == second and begin <= end < begin + span
        for begin, earlier in events
        for end, later in events
    )


def _fits(field: str, wanted: Any, record: dict[str, Any]) -> bool:
    name, _, modifier = field.partition("|")
    value = _value(name, record)
    if modifier:
        assert modifier == "hour"
        value = datetime.fromisoformat(str(value)).hour
    return str(value).lower() in {str(each).lower() for each in (wanted if isinstance(wanted, list) else [wanted])}


def _value(field: str, record: dict[str, Any]) -> Any:
    value: Any = record
    for part in field.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _time(record: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(record["time"])
