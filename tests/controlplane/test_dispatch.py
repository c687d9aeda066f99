"""The web process gives the gateway its own paths and Django the rest."""

import asyncio
from typing import Any

import pytest

from controlplane.dispatch import WebApplication


def _who_answers(scope: dict[str, Any]) -> list[str]:
    asked: list[str] = []

    def named(name: str) -> Any:
        async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
            asked.append(name)

        return application

    web = WebApplication(django=named("django"), gateway=named("gateway"), owns=lambda path: path.startswith("/mcp/"))
    asyncio.run(web(scope, None, None))  # type: ignore[arg-type]  # neither is called
    return asked


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ({"type": "http", "path": "/mcp/files"}, "gateway"),
        ({"type": "http", "path": "/"}, "django"),
        ({"type": "http", "path": "/api/v1/mcp/"}, "django"),
        ({"type": "lifespan"}, "gateway"),
    ],
)
def test_each_request_has_one_answerer(scope: dict[str, Any], expected: str) -> None:
    assert _who_answers(scope) == [expected]
