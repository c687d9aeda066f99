"""Where sessions of the console are kept (Django's `SESSION_ENGINE`), and what one says about its person's sign-in.

The cookie's key is stored as its SHA-256. A session ends eight hours after its sign-in (`SESSION_COOKIE_AGE`) and when
nothing came for `SESSION_IDLE_MINUTES`: its row is then as good as absent. Django's asynchronous methods are not
overridden, for nothing of ours calls them; they look for the key itself and find nothing.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import db
from django.utils import timezone

from access.models import ConsoleSession
from core.actor import SignIn

ABOUT: Final = "sign_in"  # where a session keeps what `sign_in_of` and the list of sessions say
SEEN_RESOLUTION: Final = timedelta(minutes=1)  # `last_seen_at` is written at most so often
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


class SessionStore(db.SessionStore):
    """A session with its row of `ConsoleSession`."""

    row: ConsoleSession | None = None

    @classmethod
    def get_model_class(cls) -> type[ConsoleSession]:  # type: ignore[override]  # not Django's own table
        return ConsoleSession

    @classmethod
    def clear_expired(cls) -> None:
        ConsoleSession.objects.over().delete()

    def _get_session_from_db(self) -> ConsoleSession | None:
        self.row = ConsoleSession.objects.live().filter(session_key=hashed(self.session_key)).first()
        if self.row is None:
            self._session_key = None
        return self.row

    def exists(self, session_key: str | None) -> bool:
        return ConsoleSession.objects.filter(session_key=hashed(session_key)).exists()

    def delete(self, session_key: str | None = None) -> None:
        ConsoleSession.objects.filter(session_key=hashed(session_key or self.session_key)).delete()

    def create(self) -> None:
        # Django's tries new keys for as long as the table refuses the row, and ours refuses for other reasons too. A
        # key of 160 random bits needs no second try.
        self._session_key = self._get_new_session_key()  # type: ignore[attr-defined]  # Django's
        self.save(must_create=True)
        self.modified = True

    def create_model_instance(self, data: Mapping[str, Any]) -> ConsoleSession:  # type: ignore[override]  # as above
        key, now = hashed(self._get_or_create_session_key()), timezone.now()  # type: ignore[attr-defined]  # Django's
        about: Mapping[str, str] = data.get(ABOUT, {})
        began = self.row.began_at if self.row and self.row.session_key == key else now
        person = data.get(SESSION_KEY)
        return ConsoleSession(
            session_key=key,
            public_id=UUID(key[:32]),
            session_data=self.encode(dict(data)),
            expire_date=self.get_expiry_date(),
            person_id=int(person) if person else None,
            began_at=datetime.fromisoformat(about["began_at"]) if "began_at" in about else began,
            last_seen_at=now,
            browser=about.get("browser", ""),
            address=about.get("address", ""),
            second_factor=about.get("second_factor", ""),
        )

    def seen(self) -> None:
        """Note that the session is in use."""
        now = timezone.now()
        if self.row is not None and self.row.last_seen_at < now - SEEN_RESOLUTION:
            ConsoleSession.objects.filter(pk=self.row.pk).update(last_seen_at=now)


def hashed(session_key: str | None) -> str:
    """What stands in the table for the key in a cookie, or for any text that came in one."""
    return hashlib.sha256((session_key or "").encode("utf-8", "surrogatepass")).hexdigest()


def sign_in_of(session: Any) -> SignIn:
    """When and how the person of a session last proved who they are."""
    about = session.get(ABOUT, {})
    if "authenticated_at" in about:
        at = datetime.fromisoformat(about["authenticated_at"])
    else:
        row = getattr(session, "row", None)
        at = row.began_at if row is not None else _NEVER
    return SignIn(at=at, second_factor=bool(about.get("second_factor")))
