"""Pages of alerts and of the channels that they are sent to."""

from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from alerts import services
from alerts.forms import LIVE, AlertFilterForm, ChannelForm
from alerts.models import Alert, Channel
from alerts.querysets import AlertQuerySet
from alerts.rules import may_look_after
from audit.subjects import principal_of
from core.console import actor_of, back, carry_out, form_status, fulfil, page, reason_of, show
from core.needs import asks
from core.permissions import Permission

PAGE_SIZE = 50


@require_safe
@page(Permission.ALERT_READ)
def alert_list(request: HttpRequest) -> HttpResponse:
    """Alerts, newest first; what is resolved is one filter away."""
    actor = actor_of(request)
    filters = AlertFilterForm({"state": LIVE, **request.GET.dict()})
    filters.is_valid()
    found = _narrowed(Alert.objects.visible_to(actor), filters.cleaned_data)
    shown = Paginator(found.newest_first(), PAGE_SIZE).get_page(request.GET.get("page"))
    me = principal_of(actor)
    context = {
        "filters": filters,
        "page": shown,
        "is_filtered": bool(filters.cleaned_data.get("kind") or filters.cleaned_data.get("server")),
        "may_acknowledge": actor.may_somewhere(Permission.ALERT_ACKNOWLEDGE),
        "may_manage": actor.may(Permission.CHANNEL_MANAGE),
        "for_others": [
            alert.pk for alert in shown if not may_look_after(alert.kind, caused_by=alert.caused_by, who=me)
        ],
    }
    return show(request, "alerts/_list.html" if request.htmx else "alerts/list.html", context)  # type: ignore[attr-defined]


@require_POST
@page(needs=asks(Permission.ALERT_ACKNOWLEDGE))
def acknowledge(request: HttpRequest, alert_id: UUID) -> HttpResponse:
    """Say that somebody looks after it."""
    actor, reason = actor_of(request), reason_of(request)
    done = _("Acknowledged. It stays listed until it is resolved.")
    carry_out(request, lambda: services.acknowledge_alert(alert_id=alert_id, actor=actor, reason=reason), done=done)
    return back(request, reverse("alerts:list"))


@require_safe
@page(Permission.CHANNEL_MANAGE)
def channels(request: HttpRequest) -> HttpResponse:
    """Where alerts are sent."""
    visible = Channel.objects.visible_to(actor_of(request)).defer("secret").order_by("name")
    return show(request, "alerts/channels.html", {"channels": visible})


@require_http_methods(["GET", "HEAD", "POST"])
@page(Permission.CHANNEL_MANAGE)
def add_channel(request: HttpRequest) -> HttpResponse:
    """Add a webhook. The answer is the one page that ever shows its secret."""
    actor = actor_of(request)
    form = ChannelForm(request.POST or None)
    made = fulfil(form, lambda data: services.create_channel(actor=actor, **data))
    if made is not None:
        channel, secret = made
        return show(request, "alerts/channel_secret.html", {"channel": channel, "secret": secret})
    return show(request, "alerts/add_channel.html", {"form": form}, status=form_status(form))


@require_POST
@page(needs=asks(Permission.CHANNEL_MANAGE))
def test_channel(request: HttpRequest, channel_id: UUID) -> HttpResponse:
    """Send a test message."""
    actor = actor_of(request)
    done = _("A test message is on its way; the list shows when it was delivered.")
    carry_out(request, lambda: services.test_channel(channel_id=channel_id, actor=actor), done=done)
    return redirect("alerts:channels")


@require_POST
@page(needs=asks(Permission.CHANNEL_MANAGE))
def disable_channel(request: HttpRequest, channel_id: UUID) -> HttpResponse:
    """Stop sending to a channel."""
    actor, reason = actor_of(request), reason_of(request)
    done = _("Nothing is sent there any more.")
    carry_out(request, lambda: services.disable_channel(channel_id=channel_id, actor=actor, reason=reason), done=done)
    return redirect("alerts:channels")


@require_POST
@page(needs=asks(Permission.CHANNEL_MANAGE))
def enable_channel(request: HttpRequest, channel_id: UUID) -> HttpResponse:
    """Send to a channel again."""
    actor = actor_of(request)
    done = _("Alerts are sent there again, from now on.")
    carry_out(request, lambda: services.enable_channel(channel_id=channel_id, actor=actor), done=done)
    return redirect("alerts:channels")


def _narrowed(found: AlertQuerySet, wanted: dict[str, Any]) -> AlertQuerySet:
    state = wanted.get("state") or LIVE
    found = found.live() if state == LIVE else found.filter(state=state)
    exact = {name: wanted[name] for name in ("kind", "server") if wanted.get(name)}
    return found.filter(**exact)
