"""Pages of the audit log: search, and one record with the others of its call."""

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_safe
from django_htmx.http import HttpResponseClientRedirect

from audit import services
from audit.events import RecordType
from audit.formats.writing import Format
from audit.forms import FORMAT_NAMES, ExportForm, RecordFilterForm
from audit.models import Record, Subject
from audit.querysets import RecordQuerySet
from core.console import UNPROCESSABLE, actor_of, attempt, page, show
from core.download import download
from core.needs import asks
from core.permissions import Permission

PAGE_SIZE = 50
_ID_LENGTH = 36
_PERSON = "person:"
_FORMATS = tuple((form.value, FORMAT_NAMES[form]) for form in Format)


@require_safe
@page(Permission.AUDIT_READ)
def records(request: HttpRequest) -> HttpResponse:
    """Search the log, newest first. Pages follow a cursor: a count of a large table would cost too much."""
    filters = RecordFilterForm(request.GET)
    valid = filters.is_valid()
    if request.htmx and not valid:  # type: ignore[attr-defined]
        # What is wrong stands at its field, which is not part of the fragment.
        return HttpResponseClientRedirect(request.get_full_path())
    visible = Record.objects.visible_to(actor_of(request)) if valid else Record.objects.none()
    found = _after(narrowed(visible, filters.cleaned_data), request.GET.get("after", ""))
    rows = list(found[: PAGE_SIZE + 1])
    context = {
        "filters": filters,
        "is_filtered": valid and any(filters.cleaned_data.values()),
        "call_id": filters.cleaned_data.get("call_id"),
        "rows": _named(rows[:PAGE_SIZE]),
        "next": _next_url(request, rows[PAGE_SIZE - 1]) if len(rows) > PAGE_SIZE else "",
        "is_first": "after" not in request.GET,
        "formats": _FORMATS if actor_of(request).may_somewhere(Permission.AUDIT_EXPORT) else (),
    }
    template = "audit/_records.html" if request.htmx else "audit/records.html"  # type: ignore[attr-defined]
    return show(request, template, context, status=200 if valid else UNPROCESSABLE)


@require_safe
@page(Permission.AUDIT_READ)
def record_detail(request: HttpRequest, record_id: UUID) -> HttpResponse:
    """One record, whole, with the other records of its call."""
    visible = Record.objects.visible_to(actor_of(request))
    found = visible.with_index().one(record_id)
    others = visible.in_call(found.call_id).exclude(pk=found.pk).order_by("shard", "id") if found.call_id else ()
    ((_, who, by, _about),) = _named([found])
    context = {
        "record": found,
        "who": who,
        "by": by,
        "others": list(others[:PAGE_SIZE]),
        "body": bytes(found.body).decode("utf-8", "backslashreplace"),
        "changes": _changes(found),
    }
    return show(request, "audit/record.html", context)


@require_safe
@page(needs=asks(Permission.AUDIT_EXPORT, Permission.AUDIT_READ))
def export(request: HttpRequest) -> StreamingHttpResponse | HttpResponse:
    """The records that fit the filters as a file, which begins once that is recorded."""
    actor, form = actor_of(request), ExportForm(request.GET)
    if not form.is_valid():
        return redirect(f"{reverse('audit:records')}?{_query_of(request)}")
    wanted = Format(form.cleaned_data["format"])
    made = attempt(request, lambda: services.begin_export(form=wanted, filters=form.filters, actor=actor))
    if made is None:
        return redirect(f"{reverse('audit:records')}?{_query_of(request)}")
    return download(made.chunks(), name=made.name, content_type=made.content_type)


def _query_of(request: HttpRequest) -> str:
    return urlencode({name: value for name, value in request.GET.items() if name != "format"})


def narrowed(found: RecordQuerySet, wanted: dict[str, Any]) -> RecordQuerySet:
    """`found` by what the form names."""
    by: dict[str, Callable[[RecordQuerySet, Any], RecordQuerySet]] = {
        "principal": RecordQuerySet.by_principal,
        "agent": RecordQuerySet.by_agent,
        "server": RecordQuerySet.on_server,
        "tool": RecordQuerySet.on_tool,
        "call_id": RecordQuerySet.in_call,
    }
    for name, method in by.items():
        if wanted.get(name):
            found = method(found, wanted[name])
    exact = {name: wanted[name] for name in ("type", "decision") if wanted.get(name)}
    return found.filter(**exact).between(wanted.get("since"), wanted.get("until")).newest_first()


def _after(found: RecordQuerySet, cursor: str) -> RecordQuerySet:
    shard, _, record_id = cursor.partition(".")
    if not shard.isascii() or not shard.isdigit() or len(shard) != 6 or len(record_id) != _ID_LENGTH:
        return found
    try:
        return found.after_position(int(shard), UUID(record_id))
    except ValueError:
        return found


def _next_url(request: HttpRequest, last: Record) -> str:
    query = {name: value for name, value in request.GET.items() if name != "after" and value}
    return "?" + urlencode({**query, "after": f"{last.shard}.{last.id}"})


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
