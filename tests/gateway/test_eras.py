"""A server is spoken to in the client's era where it speaks it."""

import pytest

from gateway.eras import HANDSHAKE, REMEMBERED_SECONDS, Eras
from gateway.protocol import Wire

MODERN = Wire(modern=True, version="2026-07-28")
OLD = Wire(modern=False, version="2025-03-26")
URL = "https://up.example/mcp"


@pytest.mark.parametrize(
    ("client", "server", "way"),
    [(MODERN, MODERN, MODERN), (MODERN, OLD, OLD), (OLD, OLD, OLD), (OLD, MODERN, HANDSHAKE)],
)
def test_nothing_is_translated_where_both_speak_the_clients_era(client: Wire, server: Wire, way: Wire) -> None:
    assert Eras().way(client, server, URL) == way


class Clock:
    """Monotonic seconds that a test moves."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        patch.setattr("gateway.eras.time.monotonic", lambda: self.now)


def test_a_server_that_opened_no_session_is_spoken_to_in_its_own_era_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, eras = Clock(monkeypatch), Eras()
    eras.is_modern_only(URL)
    assert eras.way(OLD, MODERN, URL) == MODERN
    assert eras.way(OLD, MODERN, "https://other.example/mcp") == HANDSHAKE
    clock.now += REMEMBERED_SECONDS - 1
    assert eras.way(OLD, MODERN, URL) == MODERN
    clock.now += 2
    assert eras.way(OLD, MODERN, URL) == HANDSHAKE


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.eras._SERVERS", 3)
    eras = Eras()
    for number in range(10):
        eras.is_modern_only(f"https://{number}.example/mcp")
    assert len(eras._modern_only) <= 3
    assert eras.way(OLD, MODERN, "https://9.example/mcp") == MODERN
