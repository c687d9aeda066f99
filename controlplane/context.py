"""What every page shows around its content: navigation with counts, and the reader's preferences."""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from access.suspended import SuspensionKind
from alerts.models import Alert
from controlplane.flows.reading import NEEDED as FLOWS_NEED
from core.actor import Actor
from core.console import actor_of
from core.permissions import Permission
from core.preferences import preferences_of
from tools.models import Review

_KEYS: Final = {"tools:inbox": "i", "servers:list": "s", "audit:records": "a"}
_COUNTED: Final = {"tools:inbox": "inbox", "alerts:list": "alerts"}  # names of `counts_for`
_MAY_WRITE: Final = "tools:catalogue?effect=may_write&served=on"
_EVERYTHING: Final = (SuspensionKind.EVERYTHING.value, "")


@dataclass(frozen=True, slots=True)
class Link:
    """One entry of the navigation. `current`: the page shown belongs to it. `key`: what leads there after `g`."""

    title: str
    url: str
    icon: str
    current: bool
    count: int = 0
    key: str = ""
    counts: str = ""  # by which name a live stream tells the count anew


@dataclass(frozen=True, slots=True)
class Group:
    """Entries that belong to one kind of work."""

    title: str
    links: tuple[Link, ...]


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Context processor. Fragments for htmx and pages before sign-in need none of it."""
    context: dict[str, Any] = {"preferences": preferences_of(request)}
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated and not getattr(request, "htmx", False):
        context["navigation"] = {"groups": _groups(request, actor_of(request))}
        context["is_everything_suspended"] = _EVERYTHING in getattr(request, "suspended", ())
    return context


def pages(request: HttpRequest, actor: Actor) -> list[Link]:
    """The pages of the navigation that the actor may open, without counts."""
    return [link for group in _groups(request, actor, counted=False) for link in group.links]


def _groups(request: HttpRequest, actor: Actor, *, counted: bool = True) -> list[Group]:
    groups = (
        (_("Decide"), (
            (_("Review inbox"), "tools:inbox", "inbox", Permission.REVIEW_READ),
            (_("Alerts"), "alerts:list", "bell", Permission.ALERT_READ),
            (_("Change policies"), "tools:policies", "edit", Permission.POLICY_READ),
        )),
        (_("Govern"), (
            (_("Servers"), "servers:list", "server", Permission.SERVER_READ),
            (_("Catalogue"), "tools:catalogue", "search", Permission.TOOL_READ),
            (_("What may write now"), _MAY_WRITE, "edit", Permission.TOOL_READ),
            (_("Agents"), "access:agents", "agent", Permission.AGENT_READ),
            (_("Roles and grants"), "access:roles", "key", Permission.ROLE_READ),
            (_("Access matrix"), "matrix:matrix", "check", Permission.ROLE_READ),
            (_("People"), "access:people", "people", Permission.PERSON_READ),
            (_("Toxic flows"), "flows:overview", "warning", *FLOWS_NEED),
            (_("Kill switch"), "tools:suspensions", "stop", Permission.SUSPENSION_READ),
        )),
        (_("Prove"), (
            (_("Live calls"), "live:calls", "play", Permission.AUDIT_READ),
            (_("Audit log"), "audit:records", "record", Permission.AUDIT_READ),
        )),
    )  # fmt: skip
    counts, shown = counts_for(actor) if counted else {}, []
    current = _current(request, [page for _title, entries in groups for _name, page, *_rest in entries])
    for title, entries in groups:
        links = tuple(
            Link(
                name,
                _url(page),
                icon,
                page == current,
                counts.get(_COUNTED.get(page, ""), 0),
                _KEYS.get(page, ""),
                _COUNTED.get(page, ""),
            )
            for name, page, icon, *needed in entries
            if all(map(actor.may_somewhere, needed))
        )
        if links:
            shown.append(Group(title, links))
    return shown


def _url(page: str) -> str:
    """Where a page is: a route's name, with a query where it is a question that is asked of that route."""
    route, mark, query = page.partition("?")
    return reverse(route) + mark + query


def _current(request: HttpRequest, pages: list[str]) -> str:
    """The page that the one shown belongs to: of those above it, the one that asks for most of what is asked here."""
    asked = set(parse_qsl(request.GET.urlencode()))
    fitting = [page for page in pages if _is_below(request.path, _url(page), asked)]
    return max(fitting, key=len, default="")


def _is_below(here: str, url: str, asked: set[tuple[str, str]]) -> bool:
    path, _mark, query = url.partition("?")
    if query:
        return here == path and set(parse_qsl(query)) <= asked
    if path == "/":
        return here == "/" or here.startswith("/reviews/")
    return here.startswith(path)


def counts_for(actor: Actor) -> dict[str, int]:
    """What the navigation counts, by the name that a live stream tells it anew by."""
    return {
        "inbox": Review.objects.visible_to(actor).waiting().count(),
        "alerts": Alert.objects.visible_to(actor).filter(state="open").count(),
    }
