"""What every console view shares: who may open a page, and how a service's refusal reaches the reader.

A view parses one form, calls one service, then renders or redirects; these functions keep that short.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from django import forms
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core import exceptions
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_htmx.http import HttpResponseClientRedirect

from core.actor import ANONYMOUS, Actor
from core.errors import DomainError, Invalid, NotFound, PermissionDenied
from core.language import said
from core.needs import Needs
from core.permissions import Permission
from core.refusal import mark_refused

P = ParamSpec("P")
T = TypeVar("T")
UNPROCESSABLE = 422
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


class PageRefused(exceptions.PermissionDenied):
    """Somebody signed in opened or sent a page without the permission that it needs; the 403 page records it."""

    def __init__(self, permission: Permission):
        super().__init__(_("This page needs the permission %s.") % permission)
        self.permission = permission


def actor_of(request: HttpRequest) -> Actor:
    """Who is acting in the console; nobody when the request carries no session."""
    actor = getattr(request, "actor", None)
    return actor if isinstance(actor, Actor) else ANONYMOUS


def reader(request: HttpRequest, permission: Permission, *more: Permission) -> Actor:
    """Who reads a page that needs each of these for at least something. Raises `PageRefused`."""
    actor = actor_of(request)
    for needed in (permission, *more):
        if not actor.may_somewhere(needed):
            raise PageRefused(needed)
    return actor


def page(
    permission: Permission | None = None, *, needs: Needs | None = None, posting: Needs | None = None
) -> Callable[[View[P]], View[P]]:
    """Only for signed-in people who hold `permission` for something; others sign in or get the 403 page.

    `needs` declares what a page asks for whose service asks, not this; `posting` what its form asks for beside that.
    Refusals that a service raises and the view does not place in a form become the 403 and 404 pages.
    """
    declared = needs or (Needs((permission,)) if permission else None)

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return _to_sign_in(request)
            if permission and not actor_of(request).may_somewhere(permission):
                raise PageRefused(permission)
            try:
                return view(request, *args, **kwargs)
            except PermissionDenied as error:
                raise exceptions.PermissionDenied(said(error.message)) from error
            except NotFound as error:
                raise Http404(said(error.message)) from error

        guarded.needs = {"GET": declared, "POST": posting or declared}  # type: ignore[attr-defined]  # see routes.py
        return guarded

    return decorate


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    """The sign-in page, which leads back here; never as a fragment within another page."""
    if getattr(request, "htmx", False):
        return HttpResponseClientRedirect(redirect_to_login(request.htmx.current_url_abs_path or "/").url)  # type: ignore[attr-defined]
    return redirect_to_login(request.get_full_path())


def fulfil(form: forms.Form, command: Callable[[dict[str, Any]], T]) -> T | None:
    """What `command` made of the cleaned form; None when there is something to correct, which then stands in it.

    Who may not do it at all gets the 403 page, so `PermissionDenied` passes.
    """
    if not form.is_valid():
        return None
    try:
        return command(form.cleaned_data)
    except PermissionDenied:
        raise
    except DomainError as error:
        _place(form, error)
        form.refusal = error  # type: ignore[attr-defined]  # read by form_status
        return None


def _place(form: forms.Form, error: DomainError) -> None:
    """Put a refusal at the fields that it names, or above the form."""
    named = {**error.details, **({error.field: error.message} if error.field else {})}
    placed = {field: text for field, text in named.items() if field in form.fields}
    for field, text in placed.items():
        form.add_error(field, said(text))
    if not placed:
        form.add_error(None, said(error.message))


class ReasonForm(forms.Form):
    """The form of a command that asks only why."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=2000,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy("Kept in the audit log."),
    )


def reason_of(request: HttpRequest) -> str:
    """The reason that a command's form gave, or nothing; the service says what an empty one means."""
    form = ReasonForm(request.POST)
    return str(form.cleaned_data["reason"]) if form.is_valid() else ""


def attempt(request: HttpRequest, command: Callable[[], T]) -> T | None:
    """What a command without a page of its own made; a refusal becomes a message on the next page, and None."""
    try:
        return command()
    except (NotFound, PermissionDenied):
        raise
    except DomainError as error:
        is_refused(request, error.code, error.message)
        return None


def is_refused(request: HttpRequest, code: str, sentence: str) -> None:
    """Say on the next page that something was refused."""
    mark_refused(request, code)
    messages.error(request, said(sentence))


def carry_out(request: HttpRequest, command: Callable[[], object], *, done: str) -> None:
    """Run a command without a page of its own; its end, good or bad, becomes a message on the next page."""
    if attempt(request, lambda: (command(),)) is not None:
        messages.success(request, done)


def form_status(form: forms.Form) -> int:
    """Status of a page that shows `form`: 200 when it is fresh, else what kept it from being carried out."""
    refusal = getattr(form, "refusal", None)
    if isinstance(refusal, DomainError) and not isinstance(refusal, Invalid):
        return refusal.status
    return UNPROCESSABLE if form.is_bound and form.errors else 200


def show(request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    """Render a page, never stored by the browser or a proxy: what it shows may be withdrawn at any time."""
    response = render(request, template, context, status=status)
    response["Cache-Control"] = "no-store"
    return response


def safe_next(request: HttpRequest, wanted: str, *, otherwise: str) -> str:
    """`wanted` when it is a path of this console, else `otherwise`: no open redirect."""
    allowed = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if allowed and wanted.startswith("/") and wanted.isprintable() else otherwise


def back(request: HttpRequest, otherwise: str) -> HttpResponse:
    """Redirect to the form's `next`, if it is ours."""
    return redirect(safe_next(request, request.POST.get("next", ""), otherwise=otherwise))
