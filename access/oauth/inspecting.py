"""What a token is that somebody found, in the console. What is pasted comes in a form's body and goes nowhere."""

from typing import Any, Final

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from access import services
from access.names import TOKEN_MAX
from access.oauth.scopes import in_words
from access.services import InspectedToken, TokenState
from access.token_format import TokenKind
from core.actor import Actor
from core.console import actor_of, form_status, fulfil, page, show
from core.permissions import Permission

_KINDS: Final = {
    TokenKind.ACCESS: gettext_lazy("Access token of an agent"),
    TokenKind.REFRESH: gettext_lazy("Refresh token of an agent"),
    TokenKind.API: gettext_lazy("API token of a person"),
}
_STATES: Final = {
    TokenState.ACTIVE: gettext_lazy("It works now: whoever has it can use it."),
    TokenState.AGENT_SUSPENDED: gettext_lazy("Its agent is suspended."),
    TokenState.ENDPOINT_GONE: gettext_lazy("The endpoint that it is for is gone."),
    TokenState.EXCHANGED: gettext_lazy(
        "It was exchanged for the next one already. Whoever brings it again ends all tokens that came of it."
    ),
    TokenState.EXPIRED: gettext_lazy("Its time is over."),
    TokenState.PERSON_INACTIVE: gettext_lazy("The person it acts for is deactivated."),
    TokenState.REVOKED: gettext_lazy("It was revoked."),
    TokenState.SUSPENDED: gettext_lazy(
        "The kill switch holds it: once that is lifted it works again, unless its time is over."
    ),
}


_OVER: Final = frozenset({TokenState.EXPIRED, TokenState.REVOKED})  # for good, whatever else becomes of its agent


class InspectForm(forms.Form):
    """A token that was found. It is never shown again, whatever becomes of the form."""

    token = forms.CharField(
        label=gettext_lazy("Token"),
        max_length=TOKEN_MAX,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=gettext_lazy("An API token (hfp_…), or an agent's access token (hf.…) or refresh token (hfr.…)."),
    )


@sensitive_post_parameters("token")
@require_http_methods(["GET", "HEAD", "POST"])
@page(Permission.AGENT_READ)
@sensitive_variables()
def inspect_token(request: HttpRequest) -> HttpResponse:
    """Ask for a token, and say what it is."""
    actor = actor_of(request)
    form = InspectForm(request.POST if request.method == "POST" else None)
    asked = fulfil(form, lambda data: (services.inspect_token(token=data["token"], actor=actor),))
    if asked is None:
        return show(request, "access/inspect_token.html", {"form": form}, status=form_status(form))
    context = {"form": InspectForm(), "is_answered": True, **_shown(asked[0], actor)}
    return show(request, "access/inspect_token.html", context)


def _shown(found: InspectedToken | None, actor: Actor) -> dict[str, Any]:
    if found is None:
        return {}
    agent = found.agent
    may_manage = agent is not None and actor.may(Permission.AGENT_MANAGE, team_id=agent.owner_team_id)
    return {
        "found": found,
        "kind": _KINDS[found.kind],
        "why": _STATES[found.state],
        "works": found.state is TokenState.ACTIVE,
        "is_api": found.kind is TokenKind.API,
        "is_refresh": found.kind is TokenKind.REFRESH,
        "agent_last_used": getattr(getattr(agent, "use", None), "last_used", None),
        "words": in_words(found.scopes) if agent else [],
        "may_manage": may_manage,
        "may_end": found.state not in _OVER,
        "is_own": found.person is not None and str(found.person.public_id) == actor.id,
    }
