"""Session tokens open for whom they were issued, where, and as long as they last."""

import os

import pytest

from gateway.session import LIFETIME, Sessions, UnknownSession

NOW = 1_800_000_000.0
KEY = os.urandom(32)


def sessions(key: bytes = KEY, installation: str = "here") -> Sessions:
    """A process's sessions."""
    return Sessions(key=key, installation=installation)


def issued() -> str:
    """A token for principal `a` at `files`."""
    return sessions().issue(principal="a", slug="files", version="2025-06-18", now=NOW)


def test_any_process_opens_what_another_issued() -> None:
    session = sessions().open(issued(), principal="a", slug="files", now=NOW + 1)
    assert session.version == "2025-06-18"


def test_a_token_is_visible_ascii() -> None:
    assert all(0x21 <= ord(character) <= 0x7E for character in issued())


def test_two_sessions_differ() -> None:
    first, second = (sessions().open(issued(), principal="a", slug="files", now=NOW) for _ in range(2))
    assert first.id != second.id


@pytest.mark.parametrize(
    ("principal", "slug", "now"),
    [("b", "files", NOW), ("a", "other", NOW), ("a", "files", NOW + LIFETIME), ("a", "files", NOW - 120)],
)
def test_a_token_opens_only_for_its_principal_server_and_time(principal: str, slug: str, now: float) -> None:
    with pytest.raises(UnknownSession):
        sessions().open(issued(), principal=principal, slug=slug, now=now)


@pytest.mark.parametrize("other", [sessions(os.urandom(32)), sessions(installation="elsewhere")])
def test_another_installation_knows_nothing_of_it(other: Sessions) -> None:
    with pytest.raises(UnknownSession):
        other.open(issued(), principal="a", slug="files", now=NOW)


@pytest.mark.parametrize("token", ["", "x", "é", "AAAA", "A" * 5000, "=" * 40])
def test_rubbish_is_an_unknown_session(token: str) -> None:
    with pytest.raises(UnknownSession):
        sessions().open(token, principal="a", slug="files", now=NOW)


def test_every_altered_character_is_noticed() -> None:
    token = issued()
    for at, character in enumerate(token.rstrip("=")[:-1]):
        altered = token[:at] + ("A" if character != "A" else "B") + token[at + 1 :]
        with pytest.raises(UnknownSession):
            sessions().open(altered, principal="a", slug="files", now=NOW)


def test_an_ended_session_is_unknown() -> None:
    kept = sessions()
    session = kept.open(issued_by(kept), principal="a", slug="files", now=NOW)
    token = issued_by(kept)
    kept.end(kept.open(token, principal="a", slug="files", now=NOW))
    with pytest.raises(UnknownSession):
        kept.open(token, principal="a", slug="files", now=NOW)
    assert session.version == "2025-11-25"


def issued_by(kept: Sessions) -> str:
    """A token of this very process."""
    return kept.issue(principal="a", slug="files", version="2025-11-25", now=NOW)
