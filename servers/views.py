"""Pages of servers as such: list, register, edit, suspend, resume. One server with its tools is `tools`'."""

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.console import actor_of, carry_out, form_status, fulfil, page, reason_of, show
from core.permissions import Permission
from core.queue import enqueue
from servers.forms import RegisterForm, ServerFilterForm, ServerForm, changed, values_of
from servers.models import Server
from servers.querysets import ServerQuerySet
from servers.services import Registration, edit_server, register_server, resume_server, suspend_server
from servers.snippets import snippets
from servers.tags import plain_tag

PAGE_SIZE = 100


@require_safe
@page(Permission.SERVER_READ)
def server_list(request: HttpRequest) -> HttpResponse:
    """Servers that the reader may see, filtered by the URL."""
    filters = ServerFilterForm(request.GET)
    filters.is_valid()
    servers = _narrowed(Server.objects.visible_to(actor_of(request)), filters).select_related("owner_team")
    context = {
        "filters": filters,
        "tag": plain_tag(filters.cleaned_data.get("tag", "")),
        "is_filtered": any(filters.cleaned_data.values()),
        "page": Paginator(servers.order_by("slug"), PAGE_SIZE).get_page(request.GET.get("page")),
        "may_register": actor_of(request).may_somewhere(Permission.SERVER_REGISTER),
    }
    return show(request, "servers/_list.html" if request.htmx else "servers/list.html", context)  # type: ignore[attr-defined]


@require_http_methods(["GET", "HEAD", "POST"])
@page(Permission.SERVER_REGISTER)
def register(request: HttpRequest) -> HttpResponse:
    """Register a server; the next page shows what it offers before anything of it can be called."""
    actor = actor_of(request)
    form = RegisterForm(request.POST or None, actor=actor, initial={"environment": "development"})
    server = fulfil(form, lambda data: register_server(registration=Registration(**data), actor=actor))
    if server is not None:
        # The page that follows waits for the first look; the tick that hands out due servers need not.
        enqueue("tools.hand_out_due_servers")
        return redirect("tools:server_detail", slug=server.slug)
    return show(request, "servers/register.html", {"form": form}, status=form_status(form))


@require_safe
@page(Permission.SERVER_READ)
def connect(request: HttpRequest, slug: str) -> HttpResponse:
    """What to paste into a client so that it uses a server through the gateway."""
    server = Server.objects.visible_to(actor_of(request)).by_slug(slug)
    endpoint = f"{settings.GATEWAY_URL}/{server.slug}"
    context = {"server": server, "endpoint": endpoint, "snippets": snippets(server.slug, endpoint)}
    return show(request, "servers/connect.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@page(Permission.SERVER_EDIT)
def edit(request: HttpRequest, slug: str) -> HttpResponse:
    """Change what may be changed of a server."""
    actor = actor_of(request)
    server = Server.objects.visible_to(actor).select_related("owner_team").by_slug(slug)
    form = ServerForm(request.POST or None, actor=actor, initial=values_of(server))
    if fulfil(form, lambda data: edit_server(slug=slug, changes=changed(server, data), actor=actor)):
        messages.success(request, _("Saved."))
        return redirect("tools:server_detail", slug=slug)
    return show(request, "servers/edit.html", {"form": form, "server": server}, status=form_status(form))


@require_POST
@page(Permission.SERVER_SUSPEND)
def suspend(request: HttpRequest, slug: str) -> HttpResponse:
    """Stop every call to a server."""
    actor, reason = actor_of(request), reason_of(request)
    done = _("Calls to %s are stopped.") % slug
    carry_out(request, lambda: suspend_server(slug=slug, actor=actor, reason=reason), done=done)
    return redirect("tools:server_detail", slug=slug)


@require_POST
@page(Permission.SERVER_SUSPEND)
def resume(request: HttpRequest, slug: str) -> HttpResponse:
    """Observe a suspended server again."""
    actor, reason = actor_of(request), reason_of(request)
    done = _("%s is observed again, and serves once that is complete.") % slug
    carry_out(request, lambda: resume_server(slug=slug, actor=actor, reason=reason), done=done)
    return redirect("tools:server_detail", slug=slug)


def _narrowed(servers: ServerQuerySet, filters: ServerFilterForm) -> ServerQuerySet:
    wanted = filters.cleaned_data
    servers = servers.filter(state=wanted["state"]) if wanted.get("state") else servers.current()
    if wanted.get("environment"):
        servers = servers.filter(environment=wanted["environment"])
    if wanted.get("tag"):
        servers = servers.tagged(wanted["tag"])
    if wanted.get("q"):
        servers = servers.filter(Q(slug__icontains=wanted["q"]) | Q(name__icontains=wanted["q"]))
    return servers
