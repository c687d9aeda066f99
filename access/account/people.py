"""One person, for who manages people: what they hold, their sessions, and a reset of second factors that were lost."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from access import services
from access.account.fresh import fresh
from access.models import ConsoleSession, Grant, Person, Team
from access.services.factors import factors_of
from core.console import actor_of, carry_out, page, reason_of, show
from core.errors import NotFound
from core.permissions import Permission


@require_safe
@page(Permission.PERSON_MANAGE)
def person_sign_in(request: HttpRequest, person_id: UUID) -> HttpResponse:
    """Somebody's roles and teams, second factors and sessions."""
    actor, person = actor_of(request), _person(request, person_id)
    sessions = ConsoleSession.objects.visible_to(actor).live().filter(person=person)
    grants = Grant.objects.visible_to(actor).live().reaching_person(person).select_related("role", "team")
    context = {
        "person": person,
        "grants": grants.order_by("role__name", "pk"),
        "teams": Team.objects.visible_to(actor).filter(memberships__person=person).order_by("slug"),
        "factors": factors_of(person),
        "sessions": sessions.defer("session_data").order_by("-last_seen_at"),
    }
    return show(request, "access/person_sign_in.html", context)


@require_POST
@page(Permission.PERSON_MANAGE)
def end_sessions(request: HttpRequest, person_id: UUID) -> HttpResponse:
    """End every session of somebody."""
    person, actor = _person(request, person_id), actor_of(request)
    ended = services.end_sessions(username=person.username, actor=actor)
    messages.success(request, ngettext("%d session is over.", "%d sessions are over.", ended) % ended)
    return redirect("access:person_sign_in", person_id=person_id)


@require_POST
@page(Permission.PERSON_MANAGE)
@fresh
def reset_second_factors(request: HttpRequest, person_id: UUID) -> HttpResponse:
    """Take away the second factors of somebody who lost theirs."""
    person, actor, reason = _person(request, person_id), actor_of(request), reason_of(request)
    done = _("%s signs in by password alone until they set up a second factor again.") % person.username
    carry_out(
        request,
        lambda: services.reset_second_factors(username=person.username, actor=actor, reason=reason),
        done=done,
    )
    return redirect("access:person_sign_in", person_id=person_id)


def _person(request: HttpRequest, person_id: UUID) -> Person:
    found = Person.objects.visible_to(actor_of(request)).filter(public_id=person_id).first()
    if found is None:
        raise NotFound("There is no such person.")
    return found
