"""Dynamic client registration (RFC 7591), for clients that know no other way. Off unless the installation turns it on.

Only clients that act for people, by authorization code, can be registered; they hold nothing. There is no endpoint to
change a registration later (RFC 7592), and so no token for one: such a token would be another credential to lose.
"""

import logging
import time
from typing import Any, Final

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import View

from access import services
from access.client_metadata import BadMetadata, ClientMetadata, of_registration
from access.models import Agent
from access.oauth.answers import error_answer, json_answer, too_many
from access.oauth.limits import address_of, is_one_too_many
from access.oauth.requests import Refusal, read_json
from audit.events import Event, RecordType
from audit.services import record
from core.actor import ANONYMOUS, Actor
from core.errors import PermissionDenied, Unavailable
from core.sampling import Sampler

logger = logging.getLogger(__name__)

PER_MINUTE: Final = 20  # from one address
_STRANGERS: Final = Sampler(limit=30, window=60)  # recorded refusals, per process and minute


@method_decorator(csrf_exempt, name="dispatch")
class RegistrationEndpoint(View):
    """RFC 7591, 3: metadata in JSON for a client id."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answer one request."""
        if settings.DYNAMIC_REGISTRATION == "off":
            return error_answer("not_found", "Clients do not register themselves here.", 404)
        try:
            return self._answer(request)
        except Refusal as refusal:
            return _refused(request, refusal.error, refusal.description, refusal.status)
        except BadMetadata as error:
            code = "invalid_redirect_uri" if error.about_redirects else "invalid_client_metadata"
            return _refused(request, code, error.sentence, 400)
        except (DatabaseError, Unavailable) as error:
            logger.warning("no registration: %s", error)
            return error_answer("temporarily_unavailable", "Try again later.", 503)

    def _answer(self, request: HttpRequest) -> HttpResponse:
        raw = read_json(request)
        actor = _asking(request)
        late = is_one_too_many(request, "register", PER_MINUTE)
        if late is not None:
            return too_many(late)
        metadata = of_registration(raw)
        try:
            made = services.register_client(metadata=metadata, actor=actor, address=address_of(request))
        except PermissionDenied as error:
            # Recorded by the service.
            return _bearer(error_answer("insufficient_scope", error.message, 403), "insufficient_scope")
        return json_answer(_registered(made.agent, made.secret, metadata), status=201)


def _asking(request: HttpRequest) -> Actor:
    if settings.DYNAMIC_REGISTRATION == "open":
        return ANONYMOUS
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    known = services.authenticate_api_token(token.strip()) if scheme.lower() == "bearer" else None
    if known is None:
        raise Refusal("invalid_token", "Registering needs an API token with agent:register.", 401)
    return known[1]


def _refused(request: HttpRequest, error: str, description: str, status: int) -> HttpResponse:
    left_out = _STRANGERS.admit(time.monotonic())
    if left_out is not None:
        with transaction.atomic():
            record(
                type=RecordType.AUTH,
                event=Event.AGENT_REGISTRATION_REFUSED,
                actor=ANONYMOUS,
                decision="denied",
                reason=f"{error}: {description}",
                after={"left_out": left_out} if left_out else None,
                client_ip=address_of(request),
            )
    response = error_answer(error, description, status)
    return _bearer(response, error) if status == 401 else response


def _bearer(response: HttpResponse, error: str) -> HttpResponse:
    response["WWW-Authenticate"] = f'Bearer realm="holdfast", error="{error}"'
    return response


def _registered(agent: Agent, secret: str, metadata: ClientMetadata) -> dict[str, Any]:
    body = {
        "client_id": agent.client_id,
        "client_id_issued_at": int(agent.created.timestamp()),
        "client_name": metadata.name,
        "redirect_uris": list(metadata.redirect_uris),
        "grant_types": list(metadata.grant_types),
        "response_types": ["code"],
        "token_endpoint_auth_method": metadata.auth_method,
    }
    return {**body, "client_secret": secret, "client_secret_expires_at": 0} if secret else body
