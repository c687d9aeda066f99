"""Pages of what leaves the log: downloads, and sinks."""

from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from audit import services
from audit.formats.writing import Format
from audit.forms import ExportForm, SinkForm
from audit.models import Leaf, Sink
from core.console import actor_of, attempt, carry_out, form_status, fulfil, page, reason_of, show
from core.download import download
from core.needs import asks
from core.permissions import Permission

_SENDS = asks(Permission.SINK_MANAGE, Permission.AUDIT_READ, Permission.AUDIT_EXPORT)


@require_safe
@page(needs=asks(Permission.AUDIT_EXPORT, Permission.AUDIT_READ))
def export(request: HttpRequest) -> HttpResponseBase:
    """The records that fit the filters as a file, which begins once that is recorded."""
    actor, form = actor_of(request), ExportForm(request.GET)
    if form.is_valid():
        wanted = Format(form.cleaned_data["format"])
        made = attempt(request, lambda: services.begin_export(form=wanted, filters=form.filters, actor=actor))
        if made is not None:
            return download(made.chunks(), name=made.name, content_type=made.content_type)
    # What does not fit is said where the search is.
    query = {name: value for name, value in request.GET.items() if name != "format"}
    return redirect(f"{reverse('audit:records')}?{urlencode(query)}")


@require_safe
@page(Permission.SINK_MANAGE)
def sinks(request: HttpRequest) -> HttpResponse:
    """Where records are sent, and how far each sink is."""
    visible = Sink.objects.visible_to(actor_of(request)).select_related("cursor").defer("secret").order_by("name")
    head = Leaf.objects.head()
    rows = [(sink, max(head - sink.cursor.index, 0)) for sink in visible]
    return show(request, "audit/sinks.html", {"rows": rows, "head": head})


@require_http_methods(["GET", "HEAD", "POST"])
@page(Permission.SINK_MANAGE, posting=_SENDS)
def add_sink(request: HttpRequest) -> HttpResponse:
    """Add a sink. The answer is the one page that ever shows the secret of a webhook."""
    actor, form = actor_of(request), SinkForm(request.POST or None)
    made = fulfil(form, lambda data: services.create_sink(actor=actor, **data))
    if made is None:
        return show(request, "audit/add_sink.html", {"form": form}, status=form_status(form))
    if not made.secret:
        return redirect("audit:sinks")
    return show(request, "audit/sink_secret.html", {"sink": made.sink, "secret": made.secret})


@require_POST
@page(needs=_SENDS)
def enable_sink(request: HttpRequest, sink_id: UUID) -> HttpResponse:
    """Send again, from where it was."""
    actor, done = actor_of(request), _("Records are sent there again, from where it was.")
    carry_out(request, lambda: services.change_sink(sink_id=sink_id, enabled=True, actor=actor), done=done)
    return redirect("audit:sinks")


@require_POST
@page(needs=asks(Permission.SINK_MANAGE))
def disable_sink(request: HttpRequest, sink_id: UUID) -> HttpResponse:
    """Send nothing for now; it keeps its place in the log."""
    actor, done = actor_of(request), _("Nothing is sent there for now; it keeps its place.")
    carry_out(request, lambda: services.change_sink(sink_id=sink_id, enabled=False, actor=actor), done=done)
    return redirect("audit:sinks")


@require_POST
@page(needs=asks(Permission.SINK_MANAGE))
def remove_sink(request: HttpRequest, sink_id: UUID) -> HttpResponse:
    """Remove a sink, and with it how far it was."""
    actor, reason = actor_of(request), reason_of(request)
    done = _("The sink is removed. The log is as it was.")
    carry_out(request, lambda: services.remove_sink(sink_id=sink_id, reason=reason, actor=actor), done=done)
    return redirect("audit:sinks")
