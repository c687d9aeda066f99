"""Conditions of a grant: from which networks, and at which hours, it holds. Pure module.

They stand as JSON in the grant, `{"networks": ["10.0.0.0/8"], "hours": {"days": ["mon"], "from": "08:00",
"to": "18:00"}}`, each of them alone or with the other; all must hold. `checked` reads what somebody wants to write and
says what is wrong with it. `read` reads what is stored and never raises: what it does not understand, because a later
release or a hand wrote it, never holds.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Final, TypeGuard

from core.errors import Invalid

NETWORKS_MAX: Final = 32
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NETWORK_LENGTH_MAX: Final = 64
_TIME: Final = re.compile(r"(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)", re.ASCII)
_FIELD: Final = "conditions"


@dataclass(frozen=True, slots=True)
class Hours:
    """From one minute of the day up to, and without, another, on some days of the week (Monday is 0). UTC."""

    days: frozenset[int]
    start: int
    end: int

    def hold(self, now: datetime) -> bool:
        """Whether `now`, an aware datetime, is within."""
        there = now.astimezone(UTC)
        return there.weekday() in self.days and self.start <= there.hour * 60 + there.minute < self.end


@dataclass(frozen=True, slots=True)
class Conditions:
    """What must be so for a grant to hold; None asks nothing. `understood` is False where nobody can tell."""

    networks: tuple[IPv4Network | IPv6Network, ...] | None = None
    hours: Hours | None = None
    understood: bool = True

    def hold(self, now: datetime, client_ip: str) -> bool:
        """Whether all of them hold now, for a caller at this address. An address that is not known is in no network."""
        if not self.understood or (self.hours is not None and not self.hours.hold(now)):
            return False
        return self.networks is None or _is_within(client_ip, self.networks)


NEVER: Final = Conditions(understood=False)


def read(stored: Any) -> Conditions | None:
    """The conditions of a stored grant; None where there are none."""
    if stored == {}:
        return None
    try:
        return _conditions(checked(stored))
    except Invalid:
        return NEVER


def checked(wanted: Any) -> dict[str, Any]:
    """`wanted` in the one form in which it is stored. Raises `Invalid`."""
    given = _members(wanted, {"networks", "hours"}, "Conditions")
    found: dict[str, Any] = {}
    if "networks" in given:
        found["networks"] = _checked_networks(given["networks"])
    if "hours" in given:
        found["hours"] = _checked_hours(given["hours"])
    return found


def _conditions(stored: Mapping[str, Any]) -> Conditions:
    networks, hours = stored.get("networks"), stored.get("hours")
    return Conditions(
        networks=tuple(map(ip_network, networks)) if networks is not None else None,
        hours=Hours(frozenset(map(DAYS.index, hours["days"])), _minute(hours["from"]), _minute(hours["to"]))
        if hours is not None
        else None,
    )


def _is_within(client_ip: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    try:
        address = ip_address(client_ip)
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address  # what a socket for both families calls an IPv4 caller
    return any(address in network for network in networks)


def _checked_networks(wanted: Any) -> list[str]:
    if not isinstance(wanted, list) or not 0 < len(wanted) <= NETWORKS_MAX:
        raise Invalid(f"Name 1 to {NETWORKS_MAX} networks, for example 10.0.0.0/8.", field=_FIELD)
    return sorted({_checked_network(network) for network in wanted})


def _checked_network(wanted: Any) -> str:
    if not isinstance(wanted, str) or len(wanted) > _NETWORK_LENGTH_MAX:
        raise Invalid("A network is a text like 10.0.0.0/8 or 2001:db8::/32.", field=_FIELD)
    try:
        return str(ip_network(wanted))
    except ValueError as error:
        text = f"{wanted!r} is no network: write its first address and the length of its prefix, like 10.0.0.0/8."
        raise Invalid(text, field=_FIELD) from error


def _checked_hours(wanted: Any) -> dict[str, Any]:
    hours = _members(wanted, {"days", "from", "to"}, "Hours")
    days, start, end = hours.get("days", list(DAYS)), hours.get("from"), hours.get("to")
    if not isinstance(days, list) or not days or any(day not in DAYS for day in days):
        raise Invalid(f"Days are some of {', '.join(DAYS)}.", field=_FIELD)
    if not _is_time(start) or not _is_time(end) or _minute(start) >= _minute(end):
        raise Invalid("Hours go from one time of the day to a later one, in UTC: 08:00, at most 24:00.", field=_FIELD)
    return {"days": [day for day in DAYS if day in days], "from": start, "to": end}


def _members(wanted: Any, known: set[str], what: str) -> dict[str, Any]:
    if not isinstance(wanted, dict):
        raise Invalid(f"{what} are an object.", field=_FIELD)
    if not wanted.keys() <= known:
        raise Invalid(f"{what} have no other members than {', '.join(sorted(known))}.", field=_FIELD)
    return wanted


def _is_time(wanted: Any) -> TypeGuard[str]:
    return isinstance(wanted, str) and _TIME.fullmatch(wanted) is not None


def _minute(time: str) -> int:
    return int(time[:2]) * 60 + int(time[3:])
