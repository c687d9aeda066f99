"""Sharing the work on reviews: who looks at which, what is put off, what is said; and views that somebody keeps."""

from collections.abc import Callable
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from core.console import actor_of, back, carry_out, is_refused, page
from core.errors import DomainError
from core.ids import new_id
from core.language import said
from core.needs import SIGNED_IN, asks
from core.permissions import Permission
from core.refusal import mark_refused
from tools import services
from tools.inbox import ME
from tools.inbox_forms import AssignForm, ChosenForm, CommentForm, InboxFilterForm, SnoozeForm, ViewForm
from tools.views.inbox_page import inbox_url, unfolded


@require_POST
@page(Permission.REVIEW_DECIDE)
def assign(request: HttpRequest) -> HttpResponse:
    """Give the ticked reviews to somebody, to oneself, or to nobody."""
    actor, form, batch = actor_of(request), AssignForm(request.POST), new_id()
    if not form.is_valid():
        return _incomplete(request, form)
    to = form.cleaned_data["to"] or form.cleaned_data["assignee"]
    name = actor.name if to == ME else "" if "nobody" in request.POST else to

    def give(review_id: UUID) -> object:
        return services.assign_review(review_id=review_id, assignee=name, actor=actor, batch_id=batch)

    done = _given if name else _freed
    return _each(request, form, give, lambda n: done(n) % {"n": n, "name": name})


@require_POST
@page(Permission.REVIEW_DECIDE)
def snooze(request: HttpRequest) -> HttpResponse:
    """Put the ticked reviews off."""
    actor, form, batch = actor_of(request), SnoozeForm(request.POST), new_id()
    if not form.is_valid():
        return _incomplete(request, form)
    until = form.ends_at

    def put_off(review_id: UUID) -> object:
        return services.snooze_review(review_id=review_id, until=until, actor=actor, batch_id=batch)

    return _each(request, form, put_off, lambda n: ngettext(
        "%(n)d review put off. It waits all the same, and agents do not get it.",
        "%(n)d reviews put off. They wait all the same, and agents do not get them.", n,
    ) % {"n": n})  # fmt: skip


@require_POST
@page(Permission.REVIEW_DECIDE)
def wake(request: HttpRequest) -> HttpResponse:
    """Bring ticked reviews that were put off back into the list."""
    actor, form, batch = actor_of(request), ChosenForm(request.POST), new_id()
    if not form.is_valid():
        return _incomplete(request, form)

    def bring_back(review_id: UUID) -> object:
        return services.wake_review(review_id=review_id, actor=actor, batch_id=batch)

    return _each(request, form, bring_back, lambda n: ngettext(
        "%(n)d review is back in the list.", "%(n)d reviews are back in the list.", n
    ) % {"n": n})  # fmt: skip


@require_POST
@page(needs=asks(Permission.REVIEW_COMMENT))
def comment(request: HttpRequest, review_id: UUID) -> HttpResponse:
    """Say something about a review."""
    actor, form = actor_of(request), CommentForm(request.POST)
    text = form.cleaned_data["text"] if form.is_valid() else request.POST.get("text", "")
    carry_out(
        request,
        lambda: services.comment_on_review(review_id=review_id, text=text, actor=actor),
        done=_("Your comment is kept."),
    )
    return back(request, f"/reviews/{review_id}/")


@require_POST
@page(Permission.REVIEW_READ)
def save_view(request: HttpRequest) -> HttpResponse:
    """Keep the filters that the form carries, under a name."""
    filters, form = InboxFilterForm(request.POST), ViewForm(request.POST)
    name = form.cleaned_data["name"] if form.is_valid() else ""
    query = filters.query

    def save() -> object:
        return services.save_view(
            name=name, query=query, shared=form.cleaned_data.get("shared", False), actor=actor_of(request)
        )

    carry_out(request, save, done=_("Saved. It is listed above the filters."))
    return redirect(inbox_url(query))


@require_POST
@page(needs=SIGNED_IN)
def remove_view(request: HttpRequest, view_id: UUID) -> HttpResponse:
    """Remove a view of one's own, or a shared one."""
    services.remove_view(view_id=view_id, actor=actor_of(request))
    messages.success(request, _("The view is removed. The reviews are as they were."))
    return redirect("tools:inbox")


def _given(n: int) -> str:
    return ngettext("%(n)d review given to %(name)s.", "%(n)d reviews given to %(name)s.", n)


def _freed(n: int) -> str:
    return ngettext("%(n)d review given to nobody.", "%(n)d reviews given to nobody.", n)


def _incomplete(request: HttpRequest, form: forms.Form) -> HttpResponse:
    sentences = [str(error) for errors in form.errors.values() for error in errors]
    is_refused(request, "invalid", sentences[0] if sentences else "")
    return back(request, inbox_url({}))


def _each(
    request: HttpRequest, form: ChosenForm, act: Callable[[UUID], object], done: Callable[[int], str]
) -> HttpResponse:
    """Act on each ticked row by itself, and say on the next page what came of it."""
    refused: dict[str, int] = {}
    chosen = unfolded(form.cleaned_data["review"], request)
    for row in chosen:
        error = _error(act, row.id)
        if error is not None:
            refused[error] = refused.get(error, 0) + 1
    succeeded = len(chosen) - sum(refused.values())
    if succeeded:
        messages.success(request, done(succeeded))
    else:
        mark_refused(request, "conflict")
    for sentence, times in refused.items():
        messages.error(request, f"{said(sentence)} ({times})" if times > 1 else said(sentence))
    return back(request, inbox_url({}))


def _error(act: Callable[[UUID], object], review_id: UUID) -> str | None:
    try:
        act(review_id)
    except DomainError as error:
        return error.message
    return None
