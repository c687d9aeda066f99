"""Signing in by password, then by a second step; by a passkey alone; and signing out."""

import json
from typing import Final

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from access import services
from access.account.forms import PasskeySignInForm, SecondStepForm
from access.callers import counted_as
from access.forms import SignInForm
from access.models import Person
from access.second_factor_adapter import offers_passkeys
from access.services.counting import count_request
from access.services.factors import factors_of
from access.services.passkeys import ask_for_one
from access.services.sessions import address_of
from core.console import form_status, fulfil, safe_next, show

QUESTIONS_PER_MINUTE: Final = 60  # from one address


@sensitive_post_parameters("password")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Sign in, then go where the reader was going. The session gets a new key."""
    target = _target(request)
    if request.user.is_authenticated:
        return redirect(target)
    form = SignInForm(request.POST or None)
    if fulfil(form, lambda data: services.sign_in(request=request, **data)):
        step = "" if request.user.is_authenticated else reverse("access:second_step", query={"next": target})
        return redirect(step or target)
    context = {"form": form, "next": target, "offers_passkeys": offers_passkeys()}
    return show(request, "access/sign_in.html", context, status=form_status(form))


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    services.sign_out(request=request)
    messages.success(request, _("You are signed out."))
    return redirect("access:sign_in")


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def second_step(request: HttpRequest) -> HttpResponse:
    """The second factor of whoever's password was right a moment ago."""
    target = _target(request)
    if request.user.is_authenticated:
        return redirect(target)
    person = services.pending_person(request)
    if person is None:
        messages.error(request, _("It took too long. Sign in again."))
        return redirect_to_login(target)
    form = SecondStepForm(request.POST or None)
    if fulfil(form, lambda data: services.finish_sign_in(request=request, **data)):
        return redirect(target)
    return _second_step_page(request, person, form, target)


def _second_step_page(request: HttpRequest, person: Person, form: SecondStepForm, target: str) -> HttpResponse:
    ask = bool(factors_of(person).passkeys) and offers_passkeys()
    context = {"form": form, "next": target, "options": json.dumps(ask_for_one(request, person)) if ask else ""}
    return show(request, "access/second_step.html", context, status=form_status(form))


@never_cache
@require_POST
def passkey_options(request: HttpRequest) -> HttpResponse:
    """What a browser needs to sign somebody in by a passkey; the question waits in a session without a person."""
    if not offers_passkeys():
        return JsonResponse({}, status=404)
    # Each question is a row, and anybody may ask.
    counted = count_request(f"passkey {counted_as(address_of(request))}")
    if counted.count > QUESTIONS_PER_MINUTE:
        return JsonResponse({}, status=429, headers={"Retry-After": str(counted.seconds_left)})
    return JsonResponse(ask_for_one(request))


@sensitive_post_parameters()
@never_cache
@require_POST
def sign_in_by_passkey(request: HttpRequest) -> HttpResponse:
    """Sign in by what the browser says of a passkey."""
    target = _target(request)
    if request.user.is_authenticated:
        return redirect(target)
    form = PasskeySignInForm(request.POST)
    if fulfil(form, lambda data: services.sign_in_by_passkey(request=request, **data)):
        return redirect(target)
    context = {"form": SignInForm(), "passkey_form": form, "next": target, "offers_passkeys": offers_passkeys()}
    return show(request, "access/sign_in.html", context, status=form_status(form))


def _target(request: HttpRequest) -> str:
    wanted = request.POST.get("next", request.GET.get("next", ""))
    return safe_next(request, wanted, otherwise=reverse("tools:inbox"))
