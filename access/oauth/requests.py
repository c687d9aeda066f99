"""Reading what is sent to an OAuth endpoint, strictly (RFC 6749, 3.1, 3.2 and appendix B)."""

import base64
import binascii
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_plus

from django.core.exceptions import BadRequest, RequestDataTooBig, TooManyFieldsSent
from django.http import HttpRequest, QueryDict
from django.http.request import UnreadablePostError

BODY_MAX: Final = 16 * 1024  # bytes; a list of a few hundred scopes
_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Refusal(Exception):
    """A request that is refused before the toolkit sees it; `error` as in RFC 6749, 5.2."""

    error: str
    description: str
    status: int = 400


def read_form(request: HttpRequest) -> QueryDict:
    """The posted form. Raises `Refusal` for another method or type, too much, NUL, bad UTF-8, repeated parameters."""
    if request.method != "POST":
        raise Refusal("invalid_request", "Use POST.", 405)
    if request.META.get("QUERY_STRING"):
        raise Refusal("invalid_request", "Parameters stand in the body, not in the URL.")
    if request.content_type != _FORM:
        raise Refusal("invalid_request", f"The body must be {_FORM}.", 415)
    if (request.encoding or "utf-8").lower() not in ("utf-8", "utf8"):
        raise Refusal("invalid_request", "The body must be UTF-8.", 415)
    form = _parsed(_body(request))
    for name, values in form.lists():
        if len(values) > 1:
            # RFC 6749, 3.2: parameters must not be repeated. RFC 8707 allows several resources; we issue for one.
            error = "invalid_target" if name == "resource" else "invalid_request"
            raise Refusal(error, f"The parameter {name[:40]!a} is repeated.")
    authorization = request.headers.get("Authorization", "")
    if not authorization.isascii():
        raise Refusal("invalid_client", "The Authorization header is malformed.", 401)
    if "client_secret" in form and authorization:
        raise Refusal("invalid_request", "Use one way of client authentication, not two.")
    return form


def read_query(request: HttpRequest) -> QueryDict:
    """The parameters of an authorization request. Raises `Refusal` for too much, NUL and bad UTF-8.

    Whether one is repeated is asked by whoever reads it, because some errors go back to the client.
    """
    query = str(request.META.get("QUERY_STRING", ""))
    if len(query) > BODY_MAX:
        raise Refusal("invalid_request", f"At most {BODY_MAX} bytes.", 414)
    return _parsed(query.encode("latin-1", "replace"))


def read_json(request: HttpRequest) -> bytes:
    """The posted JSON, unparsed. Raises `Refusal` for another method or type, parameters in the URL, too much."""
    if request.method != "POST":
        raise Refusal("invalid_request", "Use POST.", 405)
    if request.META.get("QUERY_STRING"):
        raise Refusal("invalid_request", "Nothing stands in the URL.")
    if request.content_type != _JSON:
        raise Refusal("invalid_client_metadata", f"The body must be {_JSON}.", 415)
    return _body(request)


def presented_client(request: HttpRequest, form: QueryDict) -> str:
    """The client id that a request claims, unproven; empty where there is none that could be one."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        claimed = form.get("client_id") or ""
    else:
        try:
            claimed = unquote_plus(base64.b64decode(encoded).decode().partition(":")[0])
        except (binascii.Error, ValueError):
            return ""
    return claimed if claimed.isprintable() and len(claimed) <= 255 else ""


def _body(request: HttpRequest) -> bytes:
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        raise Refusal("invalid_request", "Malformed Content-Length.") from None
    if length > BODY_MAX:
        raise Refusal("invalid_request", f"At most {BODY_MAX} bytes.", 413)
    try:
        body = request.body
    except RequestDataTooBig:
        body = b" " * (BODY_MAX + 1)
    except UnreadablePostError as error:
        raise Refusal("invalid_request", "The body could not be read.") from error
    if len(body) > BODY_MAX:
        raise Refusal("invalid_request", f"At most {BODY_MAX} bytes.", 413)
    return body


def _parsed(body: bytes) -> QueryDict:
    try:
        text = body.decode()
        form = QueryDict(text, encoding="utf-8")
    except (UnicodeDecodeError, BadRequest, TooManyFieldsSent) as error:
        raise Refusal("invalid_request", "This is no form in UTF-8.") from error
    for name, values in form.lists():
        if any(bad in part for part in (name, *values) for bad in ("\0", "\ufffd")):
            raise Refusal("invalid_request", "A parameter holds NUL or is not UTF-8.")
    return form
