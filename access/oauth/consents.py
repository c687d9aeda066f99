"""The page of the applications that people allowed: one's own, and for who manages agents everybody's."""

from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from access import services
from access.models import Consent
from access.oauth.scopes import in_words
from core.console import actor_of, carry_out, page, reason_of, show
from core.needs import SIGNED_IN, asks
from core.permissions import Permission

PAGE_SIZE = 100


@require_safe
@page(needs=SIGNED_IN)
def applications(request: HttpRequest) -> HttpResponse:
    """Consents that hold now."""
    visible = Consent.objects.visible_to(actor_of(request)).live().select_related("person", "agent")
    shown = Paginator(visible.order_by("-given_at", "-pk"), PAGE_SIZE).get_page(request.GET.get("page"))
    rows = [(consent, in_words(consent.scopes)) for consent in shown]
    return show(request, "access/applications.html", {"page": shown, "rows": rows})


@require_POST
@page(needs=asks(Permission.AGENT_MANAGE, or_own=True))
def revoke_consent(request: HttpRequest, consent_id: UUID) -> HttpResponse:
    """Take a consent back and end its tokens."""
    actor, reason = actor_of(request), reason_of(request)
    done = _("Taken back. Its tokens have ended.")
    carry_out(request, lambda: services.revoke_consent(consent_id=consent_id, actor=actor, reason=reason), done=done)
    return redirect("access:applications")
