"""Error pages. They say what happened and what to do next, and never show a traceback."""

from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    HttpResponseServerError,
    JsonResponse,
)
from django.template import loader
from django.urls import resolve
from django.utils.translation import gettext as _

from audit.services import denied
from core.console import PageRefused, actor_of, show
from core.errors import SecondFactorNeeded, envelope
from core.names import subject


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403, with the permission that was missing where it is known.

    A service records its own refusals; what `core.console.page` refuses is recorded here.
    """
    if isinstance(exception, PageRefused):
        denied(actor=actor_of(request), permission=exception.permission, subject=subject("page", request.path[:200]))
    lacks = exception is not None and isinstance(exception.__cause__, SecondFactorNeeded)
    return show(request, "403.html", {"sentence": str(exception or ""), "lacks_second_factor": lacks}, status=403)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for a form that was too old or came from elsewhere."""
    sentence = _("The form was open for too long or cookies are off. Go back, reload the page and send it again.")
    return show(request, "403.html", {"sentence": sentence}, status=403)


def no_such_route(request: HttpRequest, rest: str) -> HttpResponse:
    """What answers under the API where no route does: JSON like every error there, and the way to the final slash."""
    if not rest.endswith("/") and not getattr(resolve(f"{request.path}/").func, "is_no_route", False):
        # 308 keeps method and body, which Django's own redirect loses.
        return HttpResponseRedirect(f"{request.path}/", status=308)
    request_id = str(getattr(request, "request_id", ""))
    return JsonResponse(envelope("not_found", "The API has no such route.", [], request_id), status=404)


no_such_route.is_no_route = True  # type: ignore[attr-defined]  # tells it from the routes that it stands behind


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404; what does not exist and what may not be seen look alike."""
    sentence = str(exception) if isinstance(exception, Http404) and _is_ours(exception) else ""
    return show(request, "404.html", {"sentence": sentence}, status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """500, without context processors and so without any query: the database may be what is broken."""
    request_id = str(getattr(request, "request_id", ""))
    return HttpResponseServerError(loader.render_to_string("500.html", {"request_id": request_id}))


def _is_ours(exception: Http404) -> bool:
    """Django's own 404 carries the list of URL patterns, which is nobody's business."""
    return bool(exception.args) and isinstance(exception.args[0], str)
