"""API tokens in the console: one's own, and everybody's for who manages tokens."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from access import services
from access.account.fresh import fresh
from access.models import ApiToken
from access.names import NAME_MAX
from core.console import actor_of, carry_out, form_status, fulfil, page, reason_of, show
from core.fields import MomentField
from core.needs import SIGNED_IN, asks
from core.permissions import Permission

PAGE_SIZE = 100


class TokenForm(forms.Form):
    """A new token of one's own."""

    name = forms.CharField(
        label=gettext_lazy("What it is for"),
        max_length=NAME_MAX,
        help_text=gettext_lazy("For example: nightly report."),
    )
    expires_at = MomentField(
        label=gettext_lazy("Until (UTC)"),
        required=False,
        help_text=gettext_lazy("Empty: until somebody revokes it."),
    )
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("It may"),
        required=False,
        choices=[(name.value, name.value) for name in Permission],
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("Nothing ticked: all that you may, now and later. Never more than that."),
    )


@require_safe
@page(needs=SIGNED_IN)
def tokens(request: HttpRequest) -> HttpResponse:
    """Tokens, the newest first."""
    visible = ApiToken.objects.visible_to(actor_of(request)).select_related("person").order_by("-pk")
    shown = Paginator(visible, PAGE_SIZE).get_page(request.GET.get("page"))
    now = timezone.now()
    rows = [(token, _state(token, now)) for token in shown]
    may_create = not actor_of(request).lacks_second_factor
    return show(request, "access/tokens.html", {"page": shown, "rows": rows, "may_create": may_create})


@require_http_methods(["GET", "HEAD", "POST"])
@page(needs=SIGNED_IN)
@fresh
def create_token(request: HttpRequest) -> HttpResponse:
    """Make a token of one's own. The answer is the one page that ever shows it."""
    actor = actor_of(request)
    form = TokenForm(request.POST or None)

    def make(data: dict[str, Any]) -> tuple[ApiToken, str]:
        return services.create_api_token(username=actor.name, actor=actor, **data)

    made = fulfil(form, make)
    if made is not None:
        return show(request, "access/token_made.html", {"row": made[0], "token": made[1]})
    return show(request, "access/create_token.html", {"form": form}, status=form_status(form))


@require_POST
@page(needs=asks(Permission.TOKEN_MANAGE, or_own=True))
def revoke_token(request: HttpRequest, token_id: UUID) -> HttpResponse:
    """End a token now."""
    actor, reason = actor_of(request), reason_of(request)
    done = _("Revoked. The token no longer works.")
    carry_out(request, lambda: services.revoke_api_token(token_id=token_id, actor=actor, reason=reason), done=done)
    return redirect("access:tokens")


def _state(token: ApiToken, now: datetime) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if token.expires_at is not None and token.expires_at <= now else "active"
