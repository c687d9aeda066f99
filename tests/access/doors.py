"""The doors of `access` as tests knock at them."""

import json
from typing import Any

from django.test import Client

from access.models import Person
from access.services.api_tokens import insert_api_token
from core.actor import system_actor
from core.permissions import Permission

SETUP = system_actor("test", *Permission)


class Api:
    """The API as one person sees it, perhaps by a token with fewer scopes; None: as nobody."""

    def __init__(self, person: Person | None, scopes: list[str] | None = None):
        self._headers = {}
        if person is not None:
            _row, token = insert_api_token(person, actor=SETUP, scopes=scopes or [], name="test")
            self._headers["authorization"] = f"Bearer {token}"
        self._client = Client(raise_request_exception=False)

    def get(self, path: str) -> Any:
        """GET below /api/v1/."""
        return self._client.get(f"/api/v1/{path}", headers=self._headers)

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """Any method with a JSON body; bytes go as they are."""
        raw = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
        return self._client.generic(
            method, f"/api/v1/{path}", data=raw, content_type="application/json", headers=self._headers
        )

    def post(self, path: str, body: Any = None) -> Any:
        """POST below /api/v1/."""
        return self.send("POST", path, body)


def problem(response: Any) -> tuple[int, str, list[str]]:
    """Status, code and the fields that an error names."""
    error = response.json()["error"]
    return response.status_code, error["code"], [detail["field"] for detail in error["details"]]
