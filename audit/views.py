"""Pages of the audit log: search, saved searches, and one record with the others of its call."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from audit import services
from audit.events import RecordType
from audit.filters import FILTERS, read_filters
from audit.forms import FORMAT_NAMES, RecordFilterForm
from audit.models import Record, Removal, SavedSearch, Subject
from audit.standing import standing
from core.actor import Actor
from core.console import UNPROCESSABLE, actor_of, carry_out, page, show
from core.permissions import Permission

PAGE_SIZE = 50
SEARCHES = 200  # that the page lists
_ID_LENGTH = 36
_PERSON = "person:"
_FORMATS = tuple((form.value, name) for form, name in FORMAT_NAMES.items())


@require_safe
@page(Permission.AUDIT_READ)
def records(request: HttpRequest) -> HttpResponse:
    """Search the log, newest first. Pages follow a cursor: a count of a large table would cost too much."""
    actor, form = actor_of(request), RecordFilterForm(request.GET)
    valid = form.is_valid()
    if request.htmx and not valid:  # type: ignore[attr-defined]
        # What is wrong stands at its field, which is not part of the fragment.
        return HttpResponseClientRedirect(request.get_full_path())
    visible, after = Record.objects.visible_to(actor), _position(request.GET.get("after", ""))
    rows = visible.page(form.filters, PAGE_SIZE + 1, after=after) if valid else []
    query = form.filters.canonical() if valid else {}
    context = {
        "form": form,
        "query": query,
        "rows": _named(rows[:PAGE_SIZE]),
        "next": _next_url(query, rows[PAGE_SIZE - 1]) if len(rows) > PAGE_SIZE else "",
        "is_first": "after" not in request.GET,
        "may_prune": actor.may(Permission.LOG_PRUNE),
        "may_manage_sinks": actor.may(Permission.SINK_MANAGE),
        "formats": _FORMATS if actor.may_somewhere(Permission.AUDIT_EXPORT) else (),
    }
    if request.htmx:  # type: ignore[attr-defined]
        return show(request, "audit/_records.html", context)
    context |= {"searches": _searches(actor), **standing()}
    return show(request, "audit/records.html", context, status=200 if valid else UNPROCESSABLE)


@require_POST
@page(Permission.AUDIT_READ)
def save_search(request: HttpRequest) -> HttpResponse:
    """Keep the filters that the form carries, under a name."""
    given = {name: request.POST[name] for name in FILTERS if name in request.POST}

    def save() -> None:
        services.save_search(
            name=request.POST.get("name", ""),
            filters=read_filters(given),
            shared="shared" in request.POST,
            actor=actor_of(request),
        )

    carry_out(request, save, done=_("Saved. It is listed above the filters."))
    return redirect(_address(given))


@require_POST
@page(Permission.AUDIT_READ)
def remove_search(request: HttpRequest, search_id: UUID) -> HttpResponse:
    """Remove a saved search."""
    services.remove_search(search_id=search_id, actor=actor_of(request))
    messages.success(request, _("The search is removed. The log is as it was."))
    return redirect("audit:records")


@require_safe
@page(Permission.AUDIT_READ)
def record_detail(request: HttpRequest, record_id: UUID) -> HttpResponse:
    """One record, whole, with the other records of its call."""
    visible = Record.objects.visible_to(actor_of(request))
    found = visible.with_index().one(record_id)
    others = visible.in_call(found.call_id).exclude(pk=found.pk).order_by("shard", "id") if found.call_id else ()
    ((_row, who, by, _about),) = _named([found])
    actor = actor_of(request)
    may_erase = actor.may(Permission.PAYLOAD_ERASE)
    context = {
        "record": found,
        "who": who,
        "by": by,
        "others": list(others[:PAGE_SIZE]),
        "body": bytes(found.body).decode("utf-8", "backslashreplace"),
        "changes": _changes(found),
        **standing(),
        "may_export": actor.may_somewhere(Permission.AUDIT_EXPORT),
        "may_read_payload": actor.may(Permission.PAYLOAD_READ),
        "may_erase_payload": may_erase,
        "erasure": Removal.objects.waiting().filter(call_id=found.call_id).first() if may_erase else None,
    }
    return show(request, "audit/record.html", context)


def _searches(actor: Actor) -> list[tuple[SavedSearch, str, str, bool]]:
    found = SavedSearch.objects.visible_to(actor).by_name()[:SEARCHES]
    return services.shown_searches(found, actor, _address)


def _address(query: Mapping[str, str]) -> str:
    return f"{reverse('audit:records')}?{urlencode(query)}"


def _position(cursor: str) -> tuple[int, UUID] | None:
    """The row that the last page ended with; what is no cursor of ours begins at the newest."""
    shard, _dot, record_id = cursor.partition(".")
    if not shard.isascii() or not shard.isdigit() or len(shard) != 6 or len(record_id) != _ID_LENGTH:
        return None
    try:
        return int(shard), UUID(record_id)
    except ValueError:
        return None


def _next_url(query: Mapping[str, str], last: Record) -> str:
    return _address({**query, "after": f"{last.shard}.{last.id}"})


def _named(rows: Iterable[Record]) -> list[tuple[Record, str, str, str]]:
    """Each record with its principal's name, the actor's where somebody else acted for it, and what it is about."""
    rows = list(rows)
    people = {row.subject.removeprefix(_PERSON) for row in rows if row.subject.startswith(_PERSON)}
    names = Subject.objects.shown_names({text for row in rows for text in (row.principal, row.actor)} | people)
    return [
        (
            row,
            names.get(row.principal, row.principal),
            names.get(row.actor, "") if row.actor != row.principal else "",
            names.get(row.subject.removeprefix(_PERSON), row.subject or row.server),
        )
        for row in rows
    ]


def _changes(found: Record) -> list[tuple[str, Any, Any]]:
    """Name, value before and value after, of what differs. A denial changes nothing: what it says is a fact of it."""
    if found.type == RecordType.DENY.value:
        return []
    before = found.before if isinstance(found.before, dict) else {}
    after = found.after if isinstance(found.after, dict) else {}
    names = list(dict.fromkeys([*before, *after]))
    return [(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)]
