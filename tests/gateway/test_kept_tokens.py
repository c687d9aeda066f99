"""A token that was found valid is believed for a moment, and not once anything may have changed."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from gateway.kept_tokens import KEPT_SECONDS, Bearer, KeptTokens
from gateway.snapshot import STALE_AFTER, Token

TEXT = "hf_at_raw"
RAW = Bearer(TEXT)
TOKEN = Token("id", "robot", 1, True, None, None, "agent:robot", "https://gw.example/mcp/files", frozenset({"a"}))
NOW = datetime(2026, 11, 28, tzinfo=UTC)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> "Clock":
    return Clock(monkeypatch)


class Clock:
    """Monotonic seconds that a test moves."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        patch.setattr("gateway.kept_tokens.time.monotonic", lambda: self.now)


def kept(revision: int | None = 7, *, seconds: float = 600) -> KeptTokens:
    """What a process keeps that found one token."""
    found = KeptTokens()
    found.keep(RAW, revision, TOKEN, datetime.now(UTC) + timedelta(seconds=seconds))
    return found


def test_a_token_is_believed_under_the_revision_that_it_was_found_under() -> None:
    assert kept(7).get(RAW, 7) is TOKEN
    assert kept(0).get(RAW, 0) is TOKEN


@pytest.mark.parametrize("revision", [6, 8, None])
def test_a_token_is_looked_up_again_once_anything_about_access_changed(revision: int | None) -> None:
    assert kept(7).get(RAW, revision) is None


def test_without_a_known_revision_nothing_is_believed() -> None:
    assert kept(None).get(RAW, None) is None
    assert kept(None).get(RAW, 7) is None


def test_a_token_that_was_found_again_is_believed_again() -> None:
    found = kept(7)
    found.keep(RAW, 8, TOKEN, datetime.now(UTC) + timedelta(seconds=600))
    assert found.get(RAW, 8) is TOKEN
    assert found.get(RAW, 7) is None


def test_no_token_is_believed_longer_than_policy_may_be_old(clock: Clock) -> None:
    assert KEPT_SECONDS <= STALE_AFTER
    found = kept()
    clock.now += KEPT_SECONDS - 0.1
    assert found.get(RAW, 7) is TOKEN
    clock.now += 0.2
    assert found.get(RAW, 7) is None


def test_no_token_is_believed_beyond_its_own_end() -> None:
    with time_machine.travel(NOW, tick=False) as moment:
        found = kept(seconds=2)
        assert found.get(RAW, 7) is TOKEN
        moment.shift(timedelta(seconds=2))
        assert found.get(RAW, 7) is None


@pytest.mark.parametrize("other", ["", TEXT + "x", TEXT.upper(), "é", "\ud800"])
def test_another_token_is_not_taken_for_it(other: str) -> None:
    assert kept().get(Bearer(other), 7) is None
    assert not kept().has(Bearer(other))


def test_that_a_token_is_ours_is_known_however_long_ago_it_was_found(clock: Clock) -> None:
    found = kept()
    clock.now += 10 * KEPT_SECONDS
    assert found.get(RAW, 8) is None
    assert found.has(RAW)


def test_only_so_many_are_kept_and_the_oldest_leave_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.kept_tokens._KEPT", 3)
    found, end = KeptTokens(), datetime.now(UTC) + timedelta(seconds=600)
    for name in ("a", "b", "c", "a", "d"):
        found.keep(Bearer(name), 7, TOKEN, end)
    assert [name for name in "abcd" if found.has(Bearer(name))] == ["a", "c", "d"]


def test_no_token_is_kept_as_it_came() -> None:
    found = kept()
    assert TEXT not in repr(found._found) + repr(RAW)
    assert TEXT.encode().hex() not in repr(found._found)
