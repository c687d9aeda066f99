"""The endpoints of the authorization server. Every answer is JSON with `Cache-Control: no-store`."""

import json
import logging
import time
from typing import Any, Final

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import View
from oauth2_provider.views.mixins import OAuthLibMixin

from access.models import Agent
from access.oauth.answers import error_answer, json_answer
from access.oauth.requests import Refusal, presented_client, read_form
from audit.events import Event, RecordType
from audit.services import record
from core.actor import ANONYMOUS
from core.names import subject
from core.sampling import Sampler
from core.scopes import CONNECT

logger = logging.getLogger(__name__)

GRANT_TYPES: Final = ("authorization_code", "client_credentials", "refresh_token")
_REGISTER: Final = "access_oauth:register"
_AUTH_METHODS: Final = ["none", "client_secret_basic", "client_secret_post"]
_STRANGERS: Final = Sampler(limit=30, window=60)  # refusals that anybody can bring about, per process and minute


@method_decorator(csrf_exempt, name="dispatch")
class FormEndpoint(OAuthLibMixin, View):
    """Read strictly, hand over to the toolkit, answer in JSON whatever happened."""

    form: QueryDict = QueryDict()  # until it was read

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answer one request."""
        try:
            self.form = read_form(request)
            return self.answer(request)
        except Refusal as refusal:
            return self.refused(request, refusal.error, refusal.description, refusal.status)
        except DatabaseError:
            logger.exception("the database refused while answering %s", request.path)
            return error_answer("temporarily_unavailable", "Try again in a moment.", 503)

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Answer a request, or raise `Refusal`."""
        raise NotImplementedError

    def refused(self, request: HttpRequest, error: str, description: str, status: int) -> HttpResponse:
        """Record the refusal under the agent that was claimed, if there is one, and answer.

        Requests in the name of no agent, or of one whose name is all that it has, are sampled: the log cannot be
        pruned, so strangers must not fill it.
        """
        claimed = presented_client(request, self.form)
        agent = Agent.objects.filter(client_id=claimed).first() if claimed else None
        known = agent is not None and agent.client_type == Agent.CLIENT_CONFIDENTIAL
        left_out = 0 if known else _STRANGERS.admit(time.monotonic())
        if left_out is None:
            return error_answer(error, description, status)
        with transaction.atomic():
            record(
                type=RecordType.AUTH,
                event=Event.TOKEN_REFUSED,
                actor=ANONYMOUS,
                subject=subject("agent", agent.client_id) if agent else "",
                agent=agent.client_id if agent else "",
                decision="denied",
                reason=f"{error}: {description}" if description else error,
                after={"left_out": left_out} if left_out else None,
                client_ip=str(request.META.get("REMOTE_ADDR", "")),
            )
        return error_answer(error, description, status)


class TokenEndpoint(FormEndpoint):
    """RFC 6749, 3.2: a code, a refresh token or client credentials for tokens for exactly one resource (RFC 8707)."""

    def answer(self, request: HttpRequest) -> HttpResponse:
        """A token, or the toolkit's refusal of one."""
        grant_type = self.form.get("grant_type")
        if not grant_type:
            raise Refusal("invalid_request", "grant_type is missing.")
        if grant_type not in GRANT_TYPES:
            raise Refusal("unsupported_grant_type", f"Offered: {', '.join(GRANT_TYPES)}.")
        # Whatever a refusal left behind stays: a code that was used up, a family that ended.
        with transaction.atomic(durable=True):
            _url, _headers, body, status = self.create_token_response(request)
        answer = json.loads(body)
        if status != 200:
            raise Refusal(answer["error"], answer.get("error_description", ""), status)
        return json_answer(answer)


class RevocationEndpoint(FormEndpoint):
    """RFC 7009: a client ends a token of its own. A token that is not there is ended already: 200."""

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Nothing, or the toolkit's refusal."""
        _url, _headers, body, status = self.create_revocation_response(request)
        if status != 200:
            answer = json.loads(body)
            raise Refusal(answer["error"], answer.get("error_description", ""), status)
        return json_answer({})


class ServerMetadata(View):
    """RFC 8414, 3. What stands here works, and nothing else does."""

    def get(self, request: HttpRequest, issuer_path: str = "") -> HttpResponse:
        """The metadata of the one issuer, which has no path."""
        if issuer_path:
            return error_answer("not_found", "There is no such issuer here.", 404)
        response = JsonResponse(metadata())
        response["Cache-Control"] = "public, max-age=300"
        response["Access-Control-Allow-Origin"] = "*"
        return response


def metadata() -> dict[str, Any]:
    """The authorization server's metadata (RFC 8414, 2)."""
    registration = {} if settings.DYNAMIC_REGISTRATION == "off" else {"registration_endpoint": _url(_REGISTER)}
    return {
        **registration,
        "issuer": settings.ISSUER,
        "authorization_endpoint": _url("access_oauth:authorize"),
        "token_endpoint": _url("access_oauth:token"),
        "revocation_endpoint": _url("access_oauth:revoke"),
        "introspection_endpoint": _url("access_oauth:introspect"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANT_TYPES),
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "token_endpoint_auth_methods_supported": _AUTH_METHODS,
        "revocation_endpoint_auth_methods_supported": _AUTH_METHODS,
        "introspection_endpoint_auth_methods_supported": [way for way in _AUTH_METHODS if way != "none"],
        "scopes_supported": [CONNECT],
        "client_id_metadata_document_supported": settings.CLIENT_DOCUMENTS != "off",
    }


def _url(name: str) -> str:
    return f"{settings.ISSUER}{reverse(name)}"
