"""Asking somebody again who they are, before what does the most harm in the wrong hands.

A form that comes more than ten minutes after its person last proved who they are is answered with a page that asks
again and carries the form along. What comes back from there is proof and form together: nothing that was typed is lost
or kept anywhere but in that page. Passwords are left out of it and typed anew.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone

from access import services
from access.account.forms import AgainForm
from access.models import Person
from access.second_factor_adapter import offers_passkeys
from access.services.factors import factors_of
from access.services.passkeys import ask_for_one
from core.console import actor_of, form_status, fulfil, show

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]
FRESH: Final = timedelta(minutes=10)
_MARK: Final = f"{AgainForm.prefix}-"


def fresh(view: View[P]) -> View[P]:
    """`view`, whose form needs a person who proved who they are within the last ten minutes. Goes inside `page`."""
    return fresh_where(lambda *_args, **_kwargs: True)(view)


def fresh_where(is_risky: Callable[..., bool]) -> Callable[[View[P]], View[P]]:
    """As `fresh`, for the requests that `is_risky` says so of; it is called as the view is."""

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            _hide_from_reports(request)
            if request.method == "POST" and is_stale(request) and is_risky(request, *args, **kwargs):
                asked = _ask(request)
                if asked is not None:
                    return asked
            return view(request, *args, **kwargs)

        return guarded

    return decorate


def is_stale(request: HttpRequest) -> bool:
    """Whether the person of this session last proved who they are too long ago."""
    signed_in = actor_of(request).signed_in
    return signed_in is not None and signed_in.at < timezone.now() - FRESH


def _ask(request: HttpRequest) -> HttpResponse | None:
    """The page that asks, or None once the answer is right."""
    answered = any(name.startswith(_MARK) for name in request.POST)
    form = AgainForm(request.POST if answered else None)
    signed_in = fulfil(form, lambda data: services.reauthenticate(request=request, proof=services.Proof(**data)))
    if signed_in is None:
        return _page(request, form)
    request.actor = replace(actor_of(request), signed_in=signed_in)  # type: ignore[attr-defined]  # ours
    kept = request.POST.copy()
    for name in [name for name in kept if name.startswith(_MARK)]:
        del kept[name]
    request.POST = kept  # type: ignore[assignment]  # as mutable as Django's own is while it is read
    return None


def _page(request: HttpRequest, form: AgainForm) -> HttpResponse:
    person = request.user
    assert isinstance(person, Person)  # noqa: S101 -- `page` let nobody else through
    factors = factors_of(person)
    ask = bool(factors.passkeys) and offers_passkeys()
    context = {
        "form": form,
        "waiting": _waiting(request),
        "has_code": factors.app_since is not None,
        "options": json.dumps(ask_for_one(request, person)) if ask else "",
    }
    return show(request, "access/again.html", context, status=form_status(form) if form.is_bound else 403)


def _hide_from_reports(request: HttpRequest) -> None:
    """As `sensitive_post_parameters` does, beside the fields that the view's own decorator named."""
    hidden = (*_sensitive(request), f"{_MARK}password", f"{_MARK}code")
    request.sensitive_post_parameters = hidden  # type: ignore[attr-defined]  # Django's


def _sensitive(request: HttpRequest) -> tuple[str, ...]:
    named = getattr(request, "sensitive_post_parameters", ())
    return tuple(request.POST) if named == "__ALL__" else tuple(named)


def _waiting(request: HttpRequest) -> list[tuple[str, Any]]:
    """The form that waits, field by field, but for its passwords and what belongs to this page."""
    left_out = {*_sensitive(request), "csrfmiddlewaretoken"}
    return [
        (name, value)
        for name, values in request.POST.lists()
        if name not in left_out and not name.startswith(_MARK)
        for value in values
    ]
