"""The page of live calls, and who may have a stream."""

from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from access.models import Person
from access.sessions import hashed
from audit.drafts import search_text
from audit.filters import Filters
from audit.forms import RecordFilterForm
from audit.models import Record, Subject
from controlplane.live import reading
from controlplane.live.rows import FILTERS, TYPES, Wanted
from controlplane.live.streams import WISH
from controlplane.live.viewer import Wish
from core.console import UNPROCESSABLE, actor_of, page, show
from core.needs import SIGNED_IN
from core.permissions import Permission
from core.preferences import preferences_of

PAGE_SIZE = 50


class CallFilterForm(RecordFilterForm):
    """Those filters of the audit log that can be asked of each call as it comes."""

    def __init__(self, data: QueryDict) -> None:
        given = QueryDict(mutable=True)
        for name in FILTERS:
            given[name] = data.get(name, "")
        super().__init__(given)
        self.fields = {name: self.fields[name] for name in FILTERS}

    @property
    def query(self) -> dict[str, str]:
        """What narrows, as a query says it; nothing where something does not fit."""
        return self.filters.canonical() if self.is_valid() else {}


@require_safe
@page(Permission.AUDIT_READ)
def calls(request: HttpRequest) -> HttpResponse:
    """The newest calls and refusals. With scripts more come as they are recorded."""
    form = CallFilterForm(request.GET)
    query, valid = form.query, form.is_valid()
    visible = Record.objects.visible_to(actor_of(request)).filter(type__in=TYPES)
    found = visible.page(form.filters, PAGE_SIZE + 1, after=_position(request)) if valid else []
    last = found[PAGE_SIZE - 1] if len(found) > PAGE_SIZE else None
    here = reverse("live:calls")
    context = {
        "form": form,
        "query": query,
        "rows": reading.newest(found[:PAGE_SIZE]),
        "is_first": "after" not in request.GET,
        "stream": f"{reverse('live:stream')}?{urlencode({'calls': '1', **query})}",
        "newest": f"{here}?{urlencode(query)}" if query else here,
        "older": f"{here}?{urlencode({**query, 'after': f'{last.shard}.{last.id}'})}" if last else "",
    }
    return show(request, "live/calls.html", context, status=200 if valid else UNPROCESSABLE)


@require_safe
@page(needs=SIGNED_IN)
def stream(request: HttpRequest) -> HttpResponse:
    """Allow a stream, which `controlplane.live.streams` sends; elsewhere nothing comes, and nobody asks again."""
    response = HttpResponse(status=204)
    patch_cache_control(response, no_store=True)
    person, scope = request.user, getattr(request, "scope", None)
    if scope is None or not isinstance(person, Person) or not preferences_of(request).live:
        return response
    scope[WISH] = Wish(
        session=hashed(request.session.session_key),
        proof=reading.proof_of(person),
        person_id=person.pk,
        actor=actor_of(request),
        language=get_language() or "en",
        calls=_wanted(request) if "calls" in request.GET else None,
        health="health" in request.GET,
    )
    return response


def _wanted(request: HttpRequest) -> Wanted | None:
    """The filters of the stream; None, and so no calls, where one does not fit."""
    form = CallFilterForm(request.GET)
    if not form.is_valid() or not actor_of(request).may_somewhere(Permission.AUDIT_READ):
        return None
    filters: Filters = form.filters
    return Wanted(filters, meant_by(filters.principal))


def meant_by(principal: str) -> frozenset[str]:
    """All that whoever has, or had, this name can stand as in records."""
    name = search_text(principal)
    return frozenset((name, f"agent:{name}", f"system:{name}", *Subject.objects.named(name))) if name else frozenset()


def _position(request: HttpRequest) -> tuple[int, UUID] | None:
    """The row that the last page ended with; what is no cursor of ours begins at the newest."""
    shard, _dot, record_id = request.GET.get("after", "").partition(".")
    try:
        return (int(shard), UUID(record_id)) if len(shard) == 6 and shard.isascii() and shard.isdigit() else None
    except ValueError:
        return None
