"""Pages of change policies: the list, one policy with what it approved, writing and trying a rule."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.actor import Actor
from core.console import actor_of, carry_out, form_status, fulfil, page, reason_of, show
from core.language import said
from core.needs import asks
from core.permissions import Permission
from tools import services
from tools.forms import PolicyForm, RevisionForm
from tools.models import ChangePolicy, Pin, PolicyRevision, Review, ReviewDecision
from tools.policies import SENTENCES
from tools.services.trying import DAYS_MAX

PAGE_SIZE = 50
_SIGNS: Final = asks(Permission.POLICY_MANAGE, Permission.REVIEW_DECIDE)
_TRIED_SHOWN = 50


@require_safe
@page(Permission.POLICY_READ)
def policies(request: HttpRequest) -> HttpResponse:
    """Every policy: in force or off, by whom, and how much it approved."""
    actor = actor_of(request)
    found = ChangePolicy.objects.visible_to(actor).for_list().order_by("name")
    shown = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {"page": shown, "may_manage": actor.may(Permission.POLICY_MANAGE)}
    return show(request, "tools/policies.html", context)


@require_safe
@page(Permission.POLICY_READ)
def policy(request: HttpRequest, policy_id: UUID) -> HttpResponse:
    """One policy: its revisions, who signed them, and what it approved."""
    actor = actor_of(request)
    found = _policy(policy_id, actor)
    decisions = _decisions(found, actor)
    context = {
        "policy": found,
        "revisions": found.revisions.all(),
        "page": Paginator(decisions, PAGE_SIZE).get_page(request.GET.get("page")),
        "may_manage": actor.may(Permission.POLICY_MANAGE),
        "may_sign": actor.may(Permission.REVIEW_DECIDE),
    }
    return show(request, "tools/policy.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@page(Permission.POLICY_MANAGE, posting=_SIGNS)
def write_policy(request: HttpRequest) -> HttpResponse:
    """Write a policy's first revision, or try its rule against history first."""
    actor, form = actor_of(request), PolicyForm(request.POST or None)
    if "try" in request.POST:
        return _tried(request, form, None)
    written = fulfil(form, lambda data: _written(form, data, actor))
    if written is not None:
        return _after_writing(request, written)
    return _writing(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
@page(Permission.POLICY_MANAGE, posting=_SIGNS)
def revise_policy(request: HttpRequest, policy_id: UUID) -> HttpResponse:
    """Write the next revision, beginning with the newest one's rule."""
    actor = actor_of(request)
    found = _policy(policy_id, actor)
    form = RevisionForm(request.POST or None, initial=_initial(list(found.revisions.all())))
    if "try" in request.POST:
        return _tried(request, form, found)
    written = fulfil(
        form,
        lambda data: services.revise_policy(policy_id=policy_id, rule=form.rule(), why=data["why"], actor=actor),
    )
    if written is not None:
        return _after_writing(request, written)
    return _writing(request, form, found)


@require_POST
@page(needs=_SIGNS)
def confirm_revision(request: HttpRequest, policy_id: UUID, n: int) -> HttpResponse:
    """Sign a revision as its second person."""
    actor, reason = actor_of(request), reason_of(request)
    done = _("Revision %d is confirmed. Where it is in force it decides as two people would.") % n
    carry_out(
        request,
        lambda: services.confirm_revision(policy_id=policy_id, n=n, reason=reason, actor=actor),
        done=done,
    )
    return redirect("tools:policy", policy_id=policy_id)


@require_POST
@page(needs=asks(Permission.POLICY_MANAGE))
def enable_policy(request: HttpRequest, policy_id: UUID, n: int) -> HttpResponse:
    """Put a revision in force."""
    actor, reason = actor_of(request), reason_of(request)
    done = _("Revision %d is in force from the next look at each server. What waits already is yours to decide.") % n
    carry_out(
        request,
        lambda: services.enable_policy(policy_id=policy_id, n=n, reason=reason, actor=actor),
        done=done,
    )
    return redirect("tools:policy", policy_id=policy_id)


@require_POST
@page(needs=asks(Permission.POLICY_MANAGE))
def disable_policy(request: HttpRequest, policy_id: UUID) -> HttpResponse:
    """Let a policy approve nothing more."""
    actor, reason = actor_of(request), reason_of(request)
    done = _("It approves nothing more. What it approved is listed below and stays approved until you withdraw it.")
    carry_out(
        request,
        lambda: services.disable_policy(policy_id=policy_id, reason=reason, actor=actor),
        done=done,
    )
    return redirect("tools:policy", policy_id=policy_id)


def _policy(policy_id: UUID, actor: Actor) -> ChangePolicy:
    return ChangePolicy.objects.visible_to(actor).for_list().with_revisions().by_id(policy_id)


def _decisions(found: ChangePolicy, actor: Actor) -> Any:
    """What the policy approved and the actor may see, newest first; `lives`: agents are still served by it."""
    live = Pin.objects.live().filter(review=OuterRef("review"))
    reviews = Review.objects.visible_to(actor)
    decided = ReviewDecision.objects.filter(policy__policy=found, review__in=reviews)
    related = decided.select_related("policy", "review__definition__server")
    return related.annotate(lives=Exists(live)).order_by("-pk")


def _written(form: PolicyForm, data: dict[str, Any], actor: Actor) -> PolicyRevision:
    return services.write_policy(name=data["name"], rule=form.rule(), why=data["why"], actor=actor)


def _after_writing(request: HttpRequest, written: PolicyRevision) -> HttpResponse:
    messages.success(request, _("Revision %d is written. It approves nothing until it is put in force.") % written.n)
    return redirect("tools:policy", policy_id=written.policy.public_id)


def _writing(
    request: HttpRequest, form: RevisionForm, found: ChangePolicy | None, trial: services.Trial | None = None
) -> HttpResponse:
    context: dict[str, Any] = {"form": form, "policy": found, "trial": trial}
    if trial is not None:
        context |= {
            "tried": trial.rows[:_TRIED_SHOWN],
            "declined": [(said(SENTENCES[reason]), count) for reason, count in sorted(trial.declined.items())],
        }
    return show(request, "tools/write_policy.html", context, status=form_status(form))


def _tried(request: HttpRequest, form: RevisionForm, found: ChangePolicy | None) -> HttpResponse:
    """The same page with what the rule would have approved; a name and a reason are not needed for that."""
    asked = [form.fields[name] for name in ("name", "why") if name in form.fields]
    for field in asked:
        field.required = False
    actor = actor_of(request)
    trial = fulfil(form, lambda data: services.try_policy(rule=form.rule(), days=data["days"] or DAYS_MAX, actor=actor))
    for field in asked:
        field.required = True  # the page that is shown asks for them again
    return _writing(request, form, found, trial)


def _initial(revisions: Sequence[PolicyRevision]) -> dict[str, Any]:
    newest = revisions[0]
    return {
        "classes": newest.classes,
        "environments": newest.environments,
        "kinds": newest.kinds,
        "servers": " ".join(newest.servers),
        "text_max": newest.text_max,
    }
