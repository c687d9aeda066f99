"""The authorization code flow as a client walks it, from a code that a person allowed to tokens and on."""

import base64
import hashlib
from typing import Any
from urllib.parse import urlencode

from django.db import transaction
from django.test import Client

from access.models import Agent, Person
from access.services.codes import issue_code

RESOURCE = "http://127.0.0.1:8000/mcp/files"
REDIRECT = "http://127.0.0.1:3334/callback"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
FORM = "application/x-www-form-urlencoded"


def code_for(person: Person, agent: Agent, **changes: Any) -> str:
    """A code as the authorization endpoint issues it."""
    values = {"redirect_uri": REDIRECT, "resource": RESOURCE, "scopes": ["mcp:connect"], "code_challenge": CHALLENGE}
    with transaction.atomic():
        return issue_code(person=person, agent=agent, **{**values, **changes})


def ask(form: dict[str, Any], *, to: str = "token", headers: dict[str, str] | None = None) -> Any:
    """Post a form to one of the endpoints, as a program does; None leaves a parameter out."""
    body = urlencode({name: value for name, value in form.items() if value is not None}, doseq=True).encode()
    client = Client(raise_request_exception=False)
    return client.generic("POST", f"/oauth/{to}/", body, FORM, headers=headers or {})


def exchange(code: str, **changes: Any) -> Any:
    """Exchange a code."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "client_id": "app",
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
        "resource": RESOURCE,
    }
    return ask({**form, **changes})


def refresh(token: str, **changes: Any) -> Any:
    """Exchange a refresh token."""
    return ask({"grant_type": "refresh_token", "refresh_token": token, "client_id": "app", **changes})
