"""What the authorization server's endpoints answer: JSON that nobody keeps, with an error as in RFC 6749, 5.2."""

from typing import Any

from django.http import HttpResponse, JsonResponse


def json_answer(body: dict[str, Any], *, status: int = 200) -> HttpResponse:
    """`body`."""
    response = JsonResponse(body, status=status)
    response["Cache-Control"] = "no-store"
    response["Pragma"] = "no-cache"
    return response


def error_answer(error: str, description: str, status: int) -> HttpResponse:
    """A refusal."""
    body = {"error": error, "error_description": description} if description else {"error": error}
    response = json_answer(body, status=status)
    if status == 401:
        response["WWW-Authenticate"] = 'Basic realm="holdfast", charset="UTF-8"'
    if status == 405:
        response["Allow"] = "POST"
    return response


def too_many(seconds: int) -> HttpResponse:
    """A refusal for now, with when to come back."""
    response = error_answer("temporarily_unavailable", "Too many requests. Try again later.", 429)
    response["Retry-After"] = str(seconds)
    return response
