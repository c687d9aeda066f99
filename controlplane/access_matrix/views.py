"""Pages of the access matrix: servers, one server's tools against roles, and the change of one role there."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from access import services
from access.account.fresh import fresh_where
from access.completing import Completed
from access.models import Role
from controlplane.access_matrix import reading
from controlplane.access_matrix.changing import Draft, preview
from controlplane.access_matrix.forms import PREVIEW, SAVE, TICK, ScopesForm
from controlplane.access_matrix.holding import held_on
from controlplane.access_matrix.reading import NEEDED, ROLES_SHOWN, TOOLS_SHOWN, columns, lines
from core.actor import Actor
from core.console import UNPROCESSABLE, actor_of, form_status, fulfil, is_refused, page, reader, show
from core.download import download
from core.needs import asks
from core.permissions import Permission
from core.scopes import call_scope, definition_scope
from servers.models import Server
from tools.effects import Effect

CHANGE_NEEDED = (Permission.ROLE_MANAGE, *NEEDED)


@require_safe
@page(needs=asks(*NEEDED))
def matrix(request: HttpRequest) -> HttpResponse:
    """Servers; of the one that is opened, its tools against roles."""
    actor = reader(request, *NEEDED)
    slug = request.GET.get("server", "")
    if not slug:
        part = request.GET.get("q", "").strip().replace("\0", "")[:60]
        shown, rows = reading.servers_of(actor, part=part, page=request.GET.get("page"))
        return show(request, "matrix/servers.html", {"page": shown, "rows": rows, "part": part})
    server = reading.server_named(actor, slug)
    roles = Paginator(reading.roles_of(actor), ROLES_SHOWN).get_page(request.GET.get("roles"))
    tools = Paginator(reading.tools_at(actor, server), TOOLS_SHOWN).get_page(request.GET.get("page"))
    held = columns(roles)
    context = {
        **_grid(server, held, reading.lines(server.slug, tools, held)),
        "heads": zip(held, held_on(server, roles, actor), strict=True),
        "page": tools,
        "roles": roles,
        "may_manage": actor.may(Permission.ROLE_MANAGE),
    }
    return show(request, "matrix/server.html", context)


@require_safe
@page(needs=asks(*NEEDED))
def export(request: HttpRequest) -> HttpResponseBase:
    """The matrix as a table for spreadsheets: of one server, or of all."""
    actor, slug = reader(request, *NEEDED), request.GET.get("server", "")
    if slug:
        reading.server_named(actor, slug)
    return download(reading.as_csv(actor, slug), name="access-matrix.csv", content_type="text/csv; charset=utf-8")


@require_http_methods(["GET", "HEAD", "POST"])
@page(needs=asks(*CHANGE_NEEDED))
@fresh_where(lambda request, *_args, **_kwargs: request.POST.get("do") == SAVE)
def change(request: HttpRequest, slug: str, role_id: UUID) -> HttpResponse:
    """One role's scopes on one server: ticked, looked at, saved."""
    actor = reader(request, *CHANGE_NEEDED)
    server, role = reading.server_named(actor, slug), reading.role_with(actor, role_id)
    if role.builtin:
        is_refused(request, "conflict", "A built-in role does not change; make one of your own.")
        return redirect(_back(slug))
    if request.method != "POST":
        tools = Paginator(reading.tools_at(actor, server), TOOLS_SHOWN).get_page(request.GET.get("page"))
        return _edit(request, server, role, _held(server, role, tools), ScopesForm(), {"page": tools})
    form = ScopesForm(request.POST)
    if not form.is_valid():
        return show(request, "matrix/unfit.html", {"server": server, "role": role}, status=UNPROCESSABLE)
    draft = _draft(actor, server, form.cleaned_data)
    if form.cleaned_data["do"] == PREVIEW:
        return _preview(request, server, role, draft, form)
    if form.cleaned_data["do"] == SAVE:
        return _save(request, server, role, draft, form)
    return _edit(request, server, role, draft, form, {})


def _draft(actor: Actor, server: Server, data: dict[str, Any]) -> Draft:
    """What was ticked; with `tick`, what says such an effect as well."""
    found = reading.tools_at(actor, server).filter(public_id__in=data["shown"])
    rows = list(found.values_list("public_id", "name", "effect"))  # type: ignore[misc]  # as `with_served` names it
    tools = {key: name for key, name, _effect in rows}
    ticked = data["own"] & tools.keys()
    if data["do"] == TICK:
        ticked |= {key for key, _name, effect in rows if (effect or Effect.DESTROYS) == data["effect"]}
    return Draft(server.slug, tools, frozenset(ticked), data["whole"])


def _held(server: Server, role: Role, tools: Any) -> Draft:
    """What a role holds, as a draft that changes nothing."""
    shown, held = {tool.public_id: tool.name for tool in tools}, set(role.scopes)
    own = {key for key, name in shown.items() if definition_scope(server.slug, "tool", name) in held}
    return Draft(server.slug, shown, frozenset(own), call_scope(server.slug) in held)


def _edit(
    request: HttpRequest, server: Server, role: Role, draft: Draft, form: ScopesForm, more: dict[str, Any]
) -> HttpResponse:
    actor = actor_of(request)
    others = reading.roles_of(actor).filter(builtin=False).exclude(pk=role.pk)[: ROLES_SHOWN - 1]
    held = columns([role, *others])
    tools = more.get("page") or reading.tools_at(actor, server).filter(public_id__in=draft.tools)
    context = {
        **_grid(server, held, lines(server.slug, tools, held)),
        "role": role,
        "draft": draft,
        "form": form,
        "effects": ScopesForm.base_fields["effect"].choices,  # type: ignore[attr-defined]
        "seen": _seen(role, form),
        **more,
    }
    return show(request, "matrix/change.html", context, status=form_status(form))


def _seen(role: Role, form: ScopesForm) -> str:
    """Since when the reader knows the role: what was seen, unless this page says that it is no longer so."""
    if form.is_bound and not form.errors:
        return str(form.cleaned_data["seen"].isoformat())
    return role.updated_at.isoformat()


def _preview(request: HttpRequest, server: Server, role: Role, draft: Draft, form: ScopesForm) -> HttpResponse:
    found = preview(actor_of(request), role, draft.scopes(role.scopes))
    context = {"server": server, "role": role, "draft": draft, "form": form, "found": found, "seen": _seen(role, form)}
    return show(request, "matrix/preview.html", context)


def _save(request: HttpRequest, server: Server, role: Role, draft: Draft, form: ScopesForm) -> HttpResponse:
    actor = actor_of(request)
    changed = fulfil(
        form,
        lambda data: services.change_role(
            role_id=role.public_id,
            scopes=draft.scopes(role.scopes),
            unchanged_since=data["seen"],
            reason=data["reason"],
            actor=actor,
        ),
    )
    if changed is None:
        role.refresh_from_db()
        return _edit(request, server, role, draft, form, {})
    messages.success(request, _("Saved. Whoever holds the role %s follows at once.") % changed.name)
    if changed.completes is not None:
        messages.warning(request, _flow(changed.completes))
    return redirect(_back(server.slug))


def _flow(completed: Completed) -> str:
    """What whoever changed the role is told of a flow; in ASCII, because servers named the tools."""
    told = _("With what its holders have already, the role completes a toxic flow now.")
    names = {name: ascii(getattr(completed, name))[1:-1] for name in ("untrusted", "private", "out")}
    way = _("What %(untrusted)s brings in can ask %(private)s for what is private, and %(out)s leads it out.") % names
    return f"{told} {way}"


def _grid(server: Server, held: list[reading.Column], rows: list[reading.Line]) -> dict[str, Any]:
    whole = [column.whole(server.slug) for column in held]
    return {"server": server, "columns": held, "lines": rows, "whole": whole, "call_scope": call_scope(server.slug)}


def _back(slug: str) -> str:
    return f"{reverse('matrix:matrix')}?server={slug}"
