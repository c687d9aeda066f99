"""Pages of the onboarding. Which one comes is what the state of the server says (`reading`)."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from access.account.fresh import fresh, fresh_where
from controlplane.onboarding.forms import AccessForm, AddressForm, ApproveForm, StartForm
from controlplane.onboarding.looks import LOW, first_look
from controlplane.onboarding.reading import ORDER, Progress, Step
from controlplane.onboarding.services import let_call
from core.actor import Actor
from core.console import actor_of, form_status, fulfil, page, show
from core.needs import asks
from core.permissions import Permission
from core.queue import enqueue
from core.refusal import mark_refused
from servers.models import Server
from servers.rules import ServerState
from servers.services import Registration, edit_server, register_server
from servers.snippets import snippets
from tools import services
from tools.models import Review
from tools.views.risky import any_in_production

_OVER: Final = (ServerState.SUSPENDED.value, ServerState.RETIRED.value)


@require_http_methods(["GET", "HEAD", "POST"])
@page(Permission.SERVER_REGISTER)
def start(request: HttpRequest) -> HttpResponse:
    """The first page: which server."""
    actor = actor_of(request)
    form = StartForm(request.POST or None, actor=actor, initial={"environment": "development"})
    server = fulfil(form, lambda _data: register_server(registration=Registration(**form.registration()), actor=actor))
    if server is None:
        return show(request, "onboarding/start.html", {"form": form}, status=form_status(form))
    if form.left_out:
        names = ascii(", ".join(form.left_out)[:200])[1:-1]
        messages.info(request, _("Not taken along, because they may be secrets: %s") % names)
    enqueue("tools.hand_out_due_servers")
    return redirect("onboarding:server", slug=server.slug)


@require_safe
@page(Permission.SERVER_READ)
def server(request: HttpRequest, slug: str) -> HttpResponse:
    """The page of the step that comes next, or of one that was reached before (`?step=`)."""
    actor = actor_of(request)
    found = _server(actor, slug)
    if found.state in _OVER:
        return redirect("tools:server_detail", slug=slug)
    progress = Progress(found, actor)
    if request.htmx:  # type: ignore[attr-defined]
        return HttpResponse(status=HTTPStatus.NO_CONTENT) if _is_as_shown(request, progress) else _anew()
    return _page(request, progress, _asked(request, progress), {})


@require_POST
@page(needs=asks(Permission.SERVER_EDIT))
def address(request: HttpRequest, slug: str) -> HttpResponse:
    """Look again, at another address where one is given."""
    actor = actor_of(request)
    form = AddressForm(request.POST)
    if fulfil(form, lambda data: _look_again(slug, data["url"].strip(), actor)):
        return redirect("onboarding:server", slug=slug)
    progress = Progress(_server(actor, slug), actor)
    return _page(request, progress, Step.CONNECT, {"form": form}, status=form_status(form))


@require_POST
@page(Permission.REVIEW_DECIDE)
@fresh_where(any_in_production)
def approve(request: HttpRequest, slug: str) -> HttpResponse:
    """Approve what is ticked, each by itself; what is not ticked stays held."""
    actor = actor_of(request)
    found = _server(actor, slug)
    form = ApproveForm(request.POST)
    results = fulfil(form, lambda data: _decided(found, data, actor))
    failed = [result for result in results or () if result.error]
    done = len(results or ()) - len(failed)
    if results is None or failed:
        if failed and not done:
            mark_refused(request, "conflict")
        status = HTTPStatus.CONFLICT if failed and not done else form_status(form)
        more = {"form": form, "refused": _named(failed, actor), "done": done}
        return _page(request, Progress(found, actor), Step.REVIEW, more, status=status)
    messages.success(request, ngettext("%d definition approved.", "%d definitions approved.", done) % done)
    return redirect("onboarding:server", slug=slug)


@require_POST
@page(Permission.GRANT_MANAGE)
@fresh
def access(request: HttpRequest, slug: str) -> HttpResponse:
    """Let somebody call the server. Where an agent is made for it, the answer is the one page with its secret."""
    actor = actor_of(request)
    found = _server(actor, slug)
    form = AccessForm(request.POST, slug=slug, actor=actor)
    let = fulfil(form, lambda _data: let_call(slug=slug, actor=actor, **form.wanted()))
    if let is None:
        return _page(request, Progress(found, actor), Step.ACCESS, {"form": form}, status=form_status(form))
    if let.grant.completes is not None:
        messages.warning(request, _("With what its holder has already, this grant completes a toxic flow."))
    if let.made is None:
        messages.success(request, _("Given. It holds from now on."))
        return redirect("onboarding:server", slug=slug)
    return _page(request, Progress(found, actor), Step.CALL, {"made": let.made})


def _server(actor: Actor, slug: str) -> Server:
    return Server.objects.visible_to(actor).select_related("owner_team").by_slug(slug)


def _look_again(slug: str, url: str, actor: Actor) -> bool:
    known = Server.objects.visible_to(actor).by_slug(slug).url
    if url == known:
        services.poll_now(slug=slug, actor=actor)
    else:
        edit_server(slug=slug, changes={"url": url}, actor=actor)
        enqueue("tools.hand_out_due_servers")
    return True


def _decided(found: Server, data: dict[str, Any], actor: Actor) -> list[services.ItemResult]:
    """Only reviews of this server: the page shows no other."""
    ids = [chosen.id for chosen in data["review"]]
    rows = Review.objects.visible_to(actor).of_server(found).filter(public_id__in=ids)
    here = set(rows.values_list("public_id", flat=True))
    choices = [services.Choice(chosen.id, chosen.digest) for chosen in data["review"] if chosen.id in here]
    return services.decide_reviews(choices=choices, verdict="approve", reason=data["reason"], actor=actor)


def _named(failed: Iterable[services.ItemResult], actor: Actor) -> list[tuple[Review | None, str]]:
    """What could not be approved, and why."""
    rows = Review.objects.visible_to(actor).select_related("definition")
    named = rows.in_bulk([result.review_id for result in failed], field_name="public_id")
    return [(named.get(result.review_id), result.error.message if result.error else "") for result in failed]


def _is_as_shown(request: HttpRequest, progress: Progress) -> bool:
    """Whether the page that asks still shows how things are."""
    if progress.step.value != request.GET.get("at"):
        return False
    if progress.step is Step.CONNECT:
        return progress.is_looking
    refusal = progress.last_refusal
    return request.GET.get("refusal", "") == (str(refusal.id) if refusal else "")


def _anew() -> HttpResponse:
    return HttpResponseClientRefresh()


def _asked(request: HttpRequest, progress: Progress) -> Step:
    """The step that the URL names, if it was reached."""
    wanted = request.GET.get("step", "")
    reached = {step.value: step for step in ORDER[: ORDER.index(progress.step) + 1]}
    return reached.get(wanted, progress.step)


def _page(
    request: HttpRequest, progress: Progress, step: Step, more: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    context = {"server": progress.server, "progress": progress, "shown": step.value, "way": _way(progress, step)}
    context |= _SHOWS[step](request, progress) | more
    return show(request, f"onboarding/{_TEMPLATES[step]}.html", context, status=status)


def _way(progress: Progress, shown: Step) -> list[dict[str, Any]]:
    """The steps with where each stands; the first, registering, is done."""
    titles = {
        Step.CONNECT: _("First look"),
        Step.REVIEW: _("Approve"),
        Step.ACCESS: _("Who may call"),
        Step.CALL: _("First call"),
    }
    now = ORDER.index(progress.step)
    return [
        {"step": step.value, "title": title, "done": at < now, "current": step is shown, "reached": at <= now}
        for at, (step, title) in enumerate(titles.items())
    ]


def _connect(_request: HttpRequest, progress: Progress) -> dict[str, Any]:
    server = progress.server
    form = AddressForm(initial={"url": server.url})
    may = progress.actor.may(Permission.SERVER_EDIT, team_id=server.owner_team_id)
    return {"form": form, "is_looking": progress.is_looking, "may_edit": may}


def _review(request: HttpRequest, progress: Progress) -> dict[str, Any]:
    actor, server = progress.actor, progress.server
    form = ApproveForm()
    ticked = {part.split(" ")[0] for part in request.POST.getlist("review")}
    return {
        "form": form,
        "may_decide": actor.may(Permission.REVIEW_DECIDE, team_id=server.owner_team_id),
        **first_look(server, actor, page=request.GET.get("page"), tick=request.GET.get("tick") == LOW, ticked=ticked),
    }


def _access(_request: HttpRequest, progress: Progress) -> dict[str, Any]:
    actor, slug = progress.actor, progress.server.slug
    may = actor.may(Permission.GRANT_MANAGE)
    return {"form": AccessForm(slug=slug, actor=actor) if may else None}


def _call(_request: HttpRequest, progress: Progress) -> dict[str, Any]:
    slug = progress.server.slug
    endpoint = f"{settings.GATEWAY_URL}/{slug}"
    return {"endpoint": endpoint, "snippets": snippets(slug, endpoint)}


_SHOWS: Final = {
    Step.CONNECT: _connect,
    Step.REVIEW: _review,
    Step.ACCESS: _access,
    Step.CALL: _call,
    Step.DONE: _call,
}
_TEMPLATES: Final = {
    Step.CONNECT: "connect",
    Step.REVIEW: "review",
    Step.ACCESS: "access",
    Step.CALL: "call",
    Step.DONE: "call",
}
