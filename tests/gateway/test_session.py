"""Session ids open for whom they were issued, where, and as long as they last."""

import os

import pytest

from gateway.protocol import HANDSHAKE_VERSIONS
from gateway.session import LIFETIME, Session, Sessions, UnknownSession

NOW = 1_800_000_000.0
KEY = os.urandom(32)


def sessions(key: bytes = KEY, installation: str = "here") -> Sessions:
    """A process's sessions."""
    return Sessions(key=key, installation=installation)


def issued(version: str = "2025-06-18") -> tuple[str, Session]:
    """A session of principal `a` at `files`, and its id."""
    return sessions().issue(principal="a", slug="files", version=version, now=NOW)


@pytest.mark.parametrize("version", HANDSHAKE_VERSIONS)
def test_any_process_opens_what_another_issued(version: str) -> None:
    id_, session = issued(version)
    assert sessions().open(id_, principal="a", slug="files", now=NOW + 1) == session
    assert session.version == version


def test_an_id_is_visible_ascii_and_does_not_name_the_session() -> None:
    id_, session = issued()
    assert all(0x21 <= ord(character) <= 0x7E for character in id_)
    assert session.owner == session.id.hex
    assert session.owner not in id_


def test_two_sessions_differ() -> None:
    (first_id, first), (second_id, second) = issued(), issued()
    assert first_id != second_id
    assert first.id != second.id


@pytest.mark.parametrize("age", [-60, -59, 0, LIFETIME - 61, LIFETIME - 60])
def test_an_id_opens_as_long_as_it_lasts_whoever_s_clock_is_a_little_ahead(age: float) -> None:
    id_, session = issued()
    assert sessions().open(id_, principal="a", slug="files", now=NOW + age) == session


@pytest.mark.parametrize(
    ("principal", "slug", "now"),
    [("b", "files", NOW), ("a", "other", NOW), ("a", "files", NOW + LIFETIME), ("a", "files", NOW - 120),
     ("afiles", "", NOW), ("", "afiles", NOW), ("a\0files", "", NOW)],
)  # fmt: skip
def test_an_id_opens_only_for_its_principal_server_and_time(principal: str, slug: str, now: float) -> None:
    with pytest.raises(UnknownSession):
        sessions().open(issued()[0], principal=principal, slug=slug, now=now)


def test_an_id_that_was_opened_before_opens_by_the_same_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.session._REMEMBERED", 2)
    here, made = sessions(), [issued() for _ in range(4)]
    for _ in range(3):
        for id_, session in made:
            for _ in range(2):
                assert here.open(id_, principal="a", slug="files", now=NOW) == session
            for principal, slug, now in (("b", "files", NOW), ("a", "other", NOW), ("a", "files", NOW + LIFETIME)):
                with pytest.raises(UnknownSession):
                    here.open(id_, principal=principal, slug=slug, now=now)
            with pytest.raises(UnknownSession):
                here.open(id_ + "=", principal="a", slug="files", now=NOW)


@pytest.mark.parametrize("other", [sessions(os.urandom(32)), sessions(installation="elsewhere")])
def test_another_installation_knows_nothing_of_it(other: Sessions) -> None:
    with pytest.raises(UnknownSession):
        other.open(issued()[0], principal="a", slug="files", now=NOW)


@pytest.mark.parametrize("id_", ["", "x", "é", "AAAA", "A" * 5000, "=" * 40])
def test_rubbish_is_an_unknown_session(id_: str) -> None:
    with pytest.raises(UnknownSession):
        sessions().open(id_, principal="a", slug="files", now=NOW)


def test_every_altered_character_is_noticed() -> None:
    id_, _ = issued()
    for at, character in enumerate(id_.rstrip("=")):
        altered = id_[:at] + ("A" if character != "A" else "B") + id_[at + 1 :]
        with pytest.raises(UnknownSession):
            sessions().open(altered, principal="a", slug="files", now=NOW)


def test_a_session_of_a_version_that_only_newer_processes_speak_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """While processes are replaced one by one, both kinds serve."""
    id_, _ = issued(HANDSHAKE_VERSIONS[0])
    monkeypatch.setattr("gateway.session._VERSIONS", tuple(reversed(HANDSHAKE_VERSIONS))[:-1])
    with pytest.raises(UnknownSession):
        sessions().open(id_, principal="a", slug="files", now=NOW)


def test_every_process_makes_the_same_mark_and_nobody_else_can() -> None:
    mark = sessions().mark("a", "1")
    assert mark == sessions().mark("a", "1")
    assert mark.isalnum()
    others = [sessions().mark("a", "2"), sessions().mark("b", "1"), sessions().mark("a1", ""), sessions().mark("a")]
    assert mark not in (*others, sessions(os.urandom(32)).mark("a", "1"))


def test_a_mark_is_short_whatever_a_client_chose_as_its_id() -> None:
    assert len(f"cancel {sessions().mark('a', repr(chr(0xD800) * 1024))}") <= 256
